"""All questions on a comparison with their answers, as printed and shown on the page."""

from collections.abc import Sequence
from dataclasses import replace

from study.analysis.comparison.agreement.disagreement import EVERYTHING
from study.analysis.comparison.analysis import Analysis, TaskAnalysis
from study.analysis.comparison.results import SeedKey
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.scores.questions import Kind
from study.analysis.comparison.scores.summary import Summary
from study.analysis.comparison.sentences.lottery import is_lottery, lottery
from study.analysis.comparison.sentences.numbers import (
    Answer,
    count,
    first_few,
    further,
    interval,
    listed,
    percent,
    rate,
)
from study.analysis.comparison.sentences.pairs import (
    few_seeds_warning,
    how_decided,
    other,
    verdict,
    versus,
    why_not_compared,
)
from study.analysis.comparison.sentences.runs import what_was_run
from study.analysis.comparison.sentences.tasks import over_tasks
from study.analysis.comparison.sentences.variance_components import (
    runs_for_mask_share,
    sources_of_variance,
)
from study.analysis.text import shown
from study.spec.metrics import direction

_BEST = {
    False: "Is the winner still the best with other seeds?",
    True: "Is LoRA with the pattern the best of all?",
}
MOST = 10
"""Largest number of sentences in an answer; the tables have the others."""


def report_lines(analysis: Analysis) -> list[str]:
    """Returns the lines to print: questions as headings, each with its sentences, by task."""
    lines: list[str] = []
    for task in analysis.tasks:
        if len(analysis.tasks) > 1:
            lines += ["", f"== {task.name} =="]
        for answer in answers(task):
            lines += ["", answer.question, *(f"  {sentence}" for sentence in answer.sentences)]
    if len(analysis.tasks) > 1:
        answer = over_tasks(analysis)
        lines += ["", answer.question, *(f"  {sentence}" for sentence in answer.sentences)]
    return lines[1:]


def answers(task: TaskAnalysis) -> list[Answer]:
    """Returns the questions on one task that have an answer."""
    every = [
        Answer("What was run", what_was_run(task)),
        Answer("Does the rank pattern matter, or only the path to it?", lottery(task)),
        Answer(_BEST[is_lottery(task)], best(task)),
        Answer("Is p > 0 better than p = 0, all else equal?", verdicts(task, "p")),
        Answer(
            "What do other settings change, all else equal?",
            [] if is_lottery(task) else verdicts(task, "setting"),
        ),
        Answer("Which seeds cause the variance?", sources_of_variance(task)),
        Answer("How reproducible are the chosen ranks?", ranks(task)),
        Answer("How often do predictions change with the seed?", disagreement(task)),
        Answer("How many further runs are needed?", further_runs(task)),
    ]
    return [_shortened(answer) for answer in every if answer.sentences]


def _shortened(answer: Answer) -> Answer:
    more = len(answer.sentences) - MOST
    if more <= 0:
        return answer
    left_out = f"{count(more, 'more sentence')} of this kind {'is' if more == 1 else 'are'}"
    rest = f"{left_out} left out; the tables have all numbers."
    return replace(answer, sentences=[*answer.sentences[:MOST], rest])


def best(task: TaskAnalysis) -> list[str]:
    """Returns the scores of the leading configuration, and how it compares with the others."""
    leader = next(s for s in task.summaries if s.label == task.leader)
    if not leader.n:
        failed = f"no usable score: {rate(leader.unusable)} failed or collapsed"
        why = "no score yet" if leader.pending else failed
        return [f"{leader.label} has {why}."]
    sentences = [*_most_unusable(task), _scores(leader, task)]
    if not task.comparison.fixed_before:
        sentences.append(
            "It was chosen by these scores, so that its mean is biased upwards; an unbiased mean "
            "needs fresh seeds or the test split."
        )
    own = [pair for pair in task.pairs if pair.includes(task.leader)]
    pairs = [pair for pair in own if pair.differences]
    sentences += [
        f"Not compared with {other(pair, task.leader)}: {why_not_compared(pair)}."
        for pair in own
        if not pair.differences
    ]
    if not pairs:
        return sentences
    is_incomplete = len(pairs) < len(own)
    return sentences + _times_best(task, pairs) + _decisions(task.leader, pairs, is_incomplete)


def _most_unusable(task: TaskAnalysis) -> list[str]:
    """Returns a sentence if most runs of the task failed or collapsed; else []."""
    rates = [summary.unusable for summary in task.summaries]
    lost, ended = sum(one.k for one in rates), sum(one.n for one in rates)
    if 2 * lost <= ended:
        return []
    return [
        f"Most runs gave no usable score: {lost} of {ended} failed or collapsed. What follows is "
        "about the others."
    ]


def _decisions(leader: str, pairs: Sequence[Pair], is_incomplete: bool) -> list[str]:
    """Returns which configurations are better than, equal to or worse than the leader."""
    beaten = [pair for pair in pairs if pair.winner == leader]
    better = [pair for pair in pairs if pair.winner not in (leader, None)]
    equal = [pair for pair in pairs if pair.decision == "equal"]
    undecided = [versus(pair, leader) for pair in pairs if pair.decision == "undecided"]
    sentences = []
    if better:
        named = first_few([versus(pair, leader) for pair in better])
        verb = "is" if len(better) == 1 else "are"
        sentences.append(f"No: {named} {verb} better.{few_seeds_warning(better)}")
    elif undecided:
        sentences.append(f"Undecided against {first_few(undecided)}.")
    elif is_incomplete:
        sentences.append("Undecided, as it is not compared with all others.")
    elif not equal:
        sentences.append(
            f"Yes: it is better than every other configuration.{few_seeds_warning(beaten)}"
        )
    else:
        sentences.append("No other configuration is better by more than what matters.")
    if equal:
        named = first_few([versus(pair, leader) for pair in equal])
        sentences.append(f"It is practically equal to {named}.")
    if beaten and (better or undecided or equal or is_incomplete):
        named = first_few([versus(pair, leader) for pair in beaten])
        sentences.append(f"It is better than {named}.{few_seeds_warning(beaten)}")
    return [*sentences, how_decided(pairs)]


def verdicts(task: TaskAnalysis, kind: Kind) -> list[str]:
    """Returns the verdict on each question of a kind."""
    return [verdict(pair) for pair in task.pairs if pair.question.kind == kind]


def ranks(task: TaskAnalysis) -> list[str]:
    """Returns the overlap of kept triplets with that expected by chance; the least stable rank."""
    sentences = [
        f"{o.configuration}: two runs that differ only in the {o.differ_in} seed share "
        f"{percent(o.mean)} of the triplets kept by either ({percent(o.low)} to {percent(o.high)} "
        f"over {count(o.pairs, 'pair')}); random triplets would share {percent(o.by_chance)}, and "
        f"{percent(o.by_ranks)} if every matrix kept its rank."
        for o in task.overlaps
    ]
    for pattern in task.patterns:
        rows = [row for row in pattern.records() if isinstance(row["sd_over_mask_seeds"], float)]
        if rows:
            worst = max(rows, key=lambda row: float(str(row["sd_over_mask_seeds"])))
            layer = f" of layer {worst['layer']}" if worst["layer"] else ""
            sentences.append(
                f"{pattern.configuration}: the rank varies most between mask seeds in "
                f"{worst['matrix']}{layer}, mean {float(str(worst['mean_rank'])):.1f} of "
                f"{pattern.b0}, sd {float(str(worst['sd_over_mask_seeds'])):.1f}."
            )
    return sentences


def disagreement(task: TaskAnalysis) -> list[str]:
    """Returns the share of examples whose predicted class changes with the seed."""
    sentences = []
    for label in dict.fromkeys(d.configuration for d in task.disagreements):
        own = {d.differ_in: d for d in task.disagreements if d.configuration == label}
        parts = [
            f"{percent(d.mean)} with another {name} seed"
            for name, d in own.items()
            if name != EVERYTHING
        ]
        every = own.get(EVERYTHING)
        if every is not None:
            parts.append(f"{percent(every.mean)} if all seeds change")
        text = f"{label}: examples whose predicted class changes: {listed(parts)}"
        if every is not None and every.least is not None and every.independent is not None:
            text += (
                f"; the accuracies imply at least {percent(every.least)}, and independent errors "
                f"would give {percent(every.independent)}"
            )
        sentences.append(text + ".")
    return sentences


def further_runs(task: TaskAnalysis) -> list[str]:
    """Returns how many pairs would decide each undecided question; runs for the mask's share."""
    undecided: dict[str, list[str]] = {}
    for question, needed in task.further_pairs.items():
        undecided.setdefault(further(needed), []).append(question)
    sentences = [f"{first_few(questions)}: {text}." for text, questions in undecided.items()]
    pending = sum(summary.pending for summary in task.summaries)
    if not pending:
        sentences += runs_for_mask_share(task)
    else:
        have = "has" if pending == 1 else "have"
        sentences.append(
            f"{count(pending, 'planned run')} {have} not finished: finish these first."
        )
    return sentences


def _scores(leader: Summary, task: TaskAnalysis) -> str:
    lost = "" if not leader.unusable.k else f", {rate(leader.unusable)} failed or collapsed"
    sd = "" if leader.sd is None else f", sd {shown(leader.sd)}"
    sign = direction(task.metric)
    highest = sign * max(sign * score for score in leader.scores)
    run = leader.worst_run
    seeds = f" ({run.name})" if run is not None else ""
    reason = ", as it failed" if run is not None and task.metric not in run.values else ""
    over = leader.over_test_sets
    here = "seeds and splits of this table" if task.redrawn else "seeds on this test set"
    sets = "" if over is None else f"; over test sets as well {shown(over[0])} to {shown(over[1])}"
    return (
        f"{leader.label}: mean {task.metric} {interval(leader.mean)} over {here}, "
        f"{count(leader.n, 'usable run')}{lost}{sd}{sets}; best run {shown(highest)}, worst "
        f"run{seeds} {shown(leader.worst)}{reason}."
    )


def _times_best(task: TaskAnalysis, pairs: Sequence[Pair]) -> list[str]:
    """Returns on how many of the seeds common to all pairs the leader is best."""
    sign = direction(task.metric)
    ahead: dict[SeedKey, list[bool]] = {}
    for pair in pairs:
        own = sign if pair.question.a == task.leader else -sign
        for key, difference in pair.differences.items():
            ahead.setdefault(key, []).append(own * difference > 0)
    common = {key: those for key, those in ahead.items() if len(those) == len(pairs)}
    if not common or len(pairs) < 2:
        return []
    times, several = sum(map(all, common.values())), len(pairs) + 1
    unmasked = list(dict.fromkeys(pair.unmasked for pair in pairs if pair.unmasked))
    runs = count(len({key[1:] for key in common}), "run")
    paired = f" ({runs} of {listed(unmasked)}, paired with every mask seed)" if unmasked else ""
    return [
        f"It is the best of {several} configurations on {times} of {len(common)} equal seeds"
        f"{paired}; by chance it would be on one in {several}."
    ]
