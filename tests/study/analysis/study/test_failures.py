from study.analysis.study.failures import LONGEST, failures, warnings
from tests.study.analysis.study.made_studies import PARAMS, MadeStudy


def diverge(study: MadeStudy, rates: list[float], fine: list[float]) -> None:
    """Trials that fail at these learning rates, then complete ones."""
    for trial, lr in enumerate(rates):
        study.create(trial, PARAMS | {"lr": lr})
        study.end(trial, "failed", "diverged")
    for trial, lr in enumerate(fine, start=len(rates)):
        study.run(trial, [0.5] * 8, PARAMS | {"lr": lr})


def test_the_bound_that_separates_failed_trials_is_named(study: MadeStudy) -> None:
    diverge(study, [8e-3, 6e-3, 9e-3], [1e-4, 2e-4, 7e-3, 3e-4])
    [failure] = failures(study.read())
    assert failure.trials == [0, 1, 2]
    assert failure.where == ("All 3 have lr of at least 0.00600, as 1 of the 4 others.")


def test_nothing_is_said_of_failures_that_lie_everywhere(study: MadeStudy) -> None:
    diverge(study, [1e-4, 9e-3], [2e-4, 8e-3, 1e-3])
    assert failures(study.read())[0].where == ""


def test_nothing_is_said_of_a_single_failure(study: MadeStudy) -> None:
    diverge(study, [9e-3], [1e-4, 2e-4])
    assert failures(study.read())[0].where == ""


def test_a_long_traceback_is_cut_at_its_beginning(study: MadeStudy) -> None:
    diverge(study, [9e-3], [])
    study.folder.failures.mkdir()
    study.folder.failure(0).write_bytes(b"\xff" + b"x" * LONGEST + b"the end")
    [failure] = failures(study.read())
    assert failure.traceback.startswith("[…]")
    assert failure.traceback.endswith("the end")
    assert len(failure.traceback) < LONGEST + 10


def test_warnings_are_grouped_and_crashes_that_were_retried_come_first(study: MadeStudy) -> None:
    study.create(0)
    study.append("warning", trial=0, text="no gradient")
    study.append("crashed", trial=0, attempt=1, fault=False, reason="killed")
    study.create(1)
    study.append("warning", trial=1, text="no gradient")
    study.append("warning", trial=1, text="no gradient")
    found = warnings(study.read())
    assert [trials for _, trials in found] == [[0], [0, 1]]
    assert "tried again" in found[0][0]
