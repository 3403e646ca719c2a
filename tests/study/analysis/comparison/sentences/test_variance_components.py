"""Sentences on variance components that are zero or cannot be estimated."""

from dataclasses import replace
from pathlib import Path

from study.analysis.comparison import analyse, write_analysis
from study.analysis.comparison.sentences.answers import report_lines
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    crossed,
    failed,
    planned,
    write,
)


def test_scores_that_do_not_vary_have_sentences_tables_and_a_page(tmp_path: Path) -> None:
    rows = [row | {"test_mcc": 0.5} for row in crossed([RS, ADALORA])]
    analysis = analyse([write(tmp_path, rows)])
    assert "adalora_rs: the scores do not vary, so that there is no variance." in "\n".join(
        report_lines(analysis)
    )
    assert (tmp_path / "report.html") in write_analysis(analysis)


def test_pooled_scores_that_do_not_vary_have_a_sentence(tmp_path: Path) -> None:
    other = replace(RS, label="other", settings={**RS.settings, "p": 0.2})
    rows = [row | {"test_mcc": 0.5} for row in crossed([RS, other])]
    assert "all configurations with a mask: the scores do not vary" in "\n".join(
        report_lines(analyse([write(tmp_path, rows)]))
    )


def test_an_interrupted_crossed_design_is_still_a_crossed_design(
    tmp_path: Path,
) -> None:
    rows = crossed([RS, LORA])
    rows[20:45] = map(planned, rows[20:45])
    text = "\n".join(report_lines(analyse([write(tmp_path, rows)])))
    assert "all change together" not in text
    assert "adalora_rs: only 20 of 45 runs have a score, too few to separate" in text


def test_too_few_scores_after_failures_are_reported(tmp_path: Path) -> None:
    rows = crossed([RS])
    rows[15:] = map(failed, rows[15:])
    text = "\n".join(report_lines(analyse([write(tmp_path, rows)])))
    assert "all change together" not in text
    assert "adalora_rs: only 15 of 45 runs have a score" in text


def test_runs_of_single_seeds_have_no_variance_components(tmp_path: Path) -> None:
    other = replace(RS, label="other", settings={**RS.settings, "p": 0.2})
    text = "\n".join(report_lines(analyse([write(tmp_path, crossed([RS, other], (1, 1, 1)))])))
    assert "all change together" not in text
    assert "no factor has two seeds" in text
