"""Every sentence of a comparison either describes its runs or is a claim whose error is tested.

The sentences are read from the source: a new one fails the first test until it stands here, as a
description, or with the simulation that holds its error rate.
"""

import ast
import importlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtr

from study.analysis.comparison import analyse, sentences
from study.analysis.comparison.scores.tasks import rank_tasks
from study.analysis.comparison.sentences.answers import report_lines
from study.analysis.comparison.verdict.power import further_pairs
from study.analysis.comparison.verdict.sequence import log_e_process
from tests.study.analysis.comparison.made_comparisons import RS, crossed, write

HERE = "tests.study.analysis.comparison"
SHORTEST = 12
"""Characters of a part of a sentence that must be known."""

CLAIMS = {
    f"{HERE}.sentences.test_error_rates.test_equal_configurations_are_rarely_called_better": (
        "Yes: it is better than every other configuration.", "It is better than ",
        "No other configuration is better by more than what matters.",
        "The pattern matters: LoRA with the winner's", "The path matters: the winner, which",
        "The path costs: LoRA with", "The pattern does not help: LoRA is better with ",
        "The pattern matters in part: LoRA", "Is the winner still the best", "Is p > 0 better",
        "Is LoRA with the pattern the best of all?",
        " of simulated comparisons with this number of pairs", " Without any difference, ",
    ),
    f"{HERE}.sentences.test_error_rates.test_a_difference_that_matters_is_rarely_called_equal"
    "_and_often_found": ("It is practically equal to ", "practically equal, within "),
    f"{HERE}.verdict.test_sequence.test_it_rarely_exceeds_its_bound_however_often_it_is_looked_at":
        ("The intervals that decide hold with 95 % probability", "however often they are looked"),
    f"{HERE}.scores.test_crossed.test_at_most_five_percent_are_false_positives_without_a"
    "_difference": ("for a single look, as the seeds are crossed", "For a single look: "),
    "tests.study.analysis.hurdle.test_rates.test_many_looks_at_equal_rates_cause_at_most_five"
    "_percent_false_alarms": (" but has significantly more runs that failed or collapsed",),
    f"{HERE}.scores.test_statistics.test_intervals_of_few_runs_hold": (
        "; P(improvement) ", ": mean over tasks of the IQM ", " (95 % bootstrap interval ",
    ),
    f"{HERE}.scores.test_hierarchy.test_its_intervals_hold_with_few_pairs_and_shared_test_sets": (
        " over tasks like these ", "); probability ", " better by more than what matters, ",
        " worse (hierarchical model, without a correction",
    ),
    f"{HERE}.sentences.test_claims.test_probabilities_by_flat_priors_are_calibrated": (
        "With flat priors, and without a correction for looks: probability ",
        " that the first is better by more than ",
    ),
    f"{HERE}.sentences.test_claims.test_the_largest_source_is_rarely_named_wrongly": (
        " seed is the largest source: its interval lies above those of the others.",
        ": of the variance between runs",
    ),
    f"{HERE}.sentences.test_claims.test_tasks_without_a_difference_have_few_verdicts": (
        " over tasks (Wilcoxon signed-rank test, median difference ", " is better than ",
        "No pair differs significantly over tasks (Wilcoxon",
    ),
    f"{HERE}.sentences.test_claims.test_the_number_of_further_pairs_is_in_its_interval": (
        " (80 % interval ", " further pairs", "further pair",
        "more pairs are not expected to decide it: with probability ",
        " the difference is smaller than the error of the test set",
    ),
    f"{HERE}.components.test_sample_size.test_the_error_of_a_share_is_that_of_simulated_estimates":
        (" further runs, for a total of ", ", mask's share of the variance within 15",
         "the present runs are enough"),
    "tests.study.test_influence.test_the_error_of_one_run_is_that_of_the_bootstrap": (
        "; over test sets as well ", ", over seeds and test sets",
    ),
}  # fmt: skip
"""The test that holds an error rate -> the beginnings of the sentences that it holds for."""

DESCRIPTIONS = (
    # Questions, and what was run.
    "What was run", "Does the rank pattern matter, or only", "What do other settings change",
    "Which seeds cause the variance?", "How reproducible are the chosen", "How often do predict",
    "How many further runs are needed?", "Which configuration is best over the ",
    "Runs that differ only in their mask share", " s of training) were not repeated.",
    "Complete without a number in ", ", counted as failed: ", "no reason known",
    ". A collapsed run predicts one class only", "Not finished yet, so that all results are",
    "Missing from the crossed design: ", " seed has scores: the variance due to ",
    " seeds is unknown, no interval includes it", "The data seed of a run has drawn its train",
    "Most runs gave no usable score: ", " failed or collapsed", "no usable score: ",
    "no score yet", ", as it failed", "more sentence", " of this kind ",
    " left out; the tables have all numbers.", "It was chosen by these scores, so that its mean",
    # What an interval is over, and why there is none.
    "seeds on this test set", "seeds and test sets", "seeds and splits", "seeds, splits and test",
    ". A difference below ", " does not matter.", " comparisons together", ", no interval",
    "Not compared with ", "no runs on equal seeds have finished yet", " (no interval from ",
    "each of the pairs has a run that failed", " differences are equal, so that their variance",
    " are too few for an interval", " finished pairs", ", other rows than those of this table",
    ", test set not counted, as there are no", "Undecided against ", "equally well",
    "Undecided, as it is not compared", " not finished: finish these first.",
    ", up to about ", " % of such verdicts are false ", "It is not shown that the pat",
    "It is not shown that the path", "; it cannot be told from LoRA with ",
    "these ranks in another order", "no crossed design is suggested (",
    # Counts and means of the runs themselves.
    "Difference (first - second) ", "pairs of runs", " is better on ", "It is the best of ",
    " configurations on ", " equal seeds", "; by chance it would be on one in ",
    ", paired with every mask seed)", ", each paired with every mask seed)",
    "Runs that failed or collapsed: ", "; scores are compared over the others.",
    ": two runs that differ only in the ", " seed share ", " of the triplets kept by either (",
    "); random triplets would share ", " if every matrix kept its rank.",
    ": the rank varies most between mask seeds in ", ": examples whose predicted class changes: ",
    " with another ", " if all seeds change", "; the accuracies imply at least ",
    ", and independent errors would give ", "Mean ranks (1 is best): ", "Nemenyi's critical",
    " ranks, for ", "Fewer than two configurations were run", "Failed runs, scored as guessing",
    "Left out, as not run on every task: ", ", corrected ", " tasks are too few for this test:",
    ", before the correction for ", " pairs. Read the tasks one by one.",
    # Why components are not known.
    "no factor has two seeds", "Which source is the largest is undecided", "not reached (",
    "the seeds of a run all change together", "no further runs are needed by the estimate",
    "), although the estimate itself, ", ", asks for no further runs", "There are too few seeds",
    " runs have a score, too few to separate", " component cannot be estimated: ",
    ": the scores do not vary",
)  # fmt: skip
"""Beginnings of parts of sentences that say what is in the files, and infer nothing."""


def parts(source: str) -> list[str]:
    """The parts of sentences in a module: its strings with a blank, without docstrings."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]
    return [text for text in found if len(text) >= SHORTEST and " " in text.strip()]


def written() -> list[str]:
    folder = Path(str(sentences.__file__)).parent
    return [text for file in sorted(folder.glob("*.py")) for text in parts(file.read_text())]


def test_every_sentence_is_a_description_or_has_a_test_of_its_errors() -> None:
    known = tuple(start for starts in CLAIMS.values() for start in starts) + DESCRIPTIONS
    unknown = [text for text in written() if not text.startswith(known)]
    assert unknown == []
    assert parts('"""A new sentence."""\nTEXT = "It is certain that a is better."') == [
        "It is certain that a is better."
    ]


def test_no_entry_is_of_a_sentence_that_is_no_longer_written() -> None:
    texts = written()
    starts = [start for own in CLAIMS.values() for start in own] + list(DESCRIPTIONS)
    assert [s for s in starts if not any(text.startswith(s) for text in texts)] == []


@pytest.mark.parametrize("test", CLAIMS)
def test_the_test_of_a_claim_exists(test: str) -> None:
    module, name = test.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_tasks_without_a_difference_have_few_verdicts() -> None:
    rng, wrong, studies = np.random.default_rng(0), 0, 300
    for _ in range(studies):
        scores = rng.normal(size=(10, 4))
        means = {f"t{n}": dict(zip("abcd", map(float, row), strict=True))
                 for n, row in enumerate(scores)}  # fmt: skip
        found = rank_tasks(means)
        assert found is not None
        wrong += any((pair.p_corrected or 1.0) <= 0.05 for pair in found.pairs)
    assert wrong <= 0.07 * studies


def test_probabilities_by_flat_priors_are_calibrated() -> None:
    rng, rope = np.random.default_rng(1), 0.1
    true = rng.uniform(-2, 2, size=20_000)
    runs = true[:, None] + rng.normal(size=(len(true), 12))
    error = runs.std(axis=1, ddof=1) / np.sqrt(12)
    stated = stdtr(11, (runs.mean(axis=1) - rope) / error)
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9), (0.95, 0.99)):
        some = (stated > low) & (stated < high) & (abs(true) < 1.5)
        assert np.mean(true[some] > rope) == pytest.approx(stated[some].mean(), abs=0.05)


def test_the_number_of_further_pairs_is_in_its_interval() -> None:
    rng, level, inside, asked = np.random.default_rng(2), 0.05, 0, 0
    for _ in range(150):
        true = rng.uniform(0.3, 1.5)
        d = true + rng.normal(size=1000)
        found = further_pairs(d[:10], 0.0, level, 0.0, rng)
        crossing = np.flatnonzero(log_e_process(d) >= -np.log(level))
        if found is None or not len(crossing) or crossing[0] < 10:
            continue
        asked += 1
        inside += found.low <= crossing[0] - 9 <= (found.high or 10**9)
    assert asked > 60
    assert inside >= 0.7 * asked


@pytest.mark.slow
@pytest.mark.parametrize("init", [0.008, 0.02])
def test_the_largest_source_is_rarely_named_wrongly(tmp_path: Path, init: float) -> None:
    sd = {"mask": 0.008, "init": init, "data": 0.008, "rest": 0.006}
    wrong, studies = 0, 40
    for seed in range(studies):
        rows = crossed([replace(RS, sd=sd)], rng=np.random.default_rng(seed))
        text = "\n".join(report_lines(analyse([write(tmp_path / str(seed), rows)])))
        named = re.search(r"The (\w+) seed is the largest source", text)
        wrong += named is not None and (init == 0.008 or named[1] != "init")
    assert wrong <= 0.1 * studies
