"""The printed summary of a finished study."""

import io
import re

from rich.console import Console

from study.engine.console.summary import (
    _parameters_line,
    _tracking_line,
    print_failures,
    print_summary,
)
from study.spec.metrics import METRICS as ALL
from study.storage.events import Report, StudyOpened, WinnerEvaluated
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create
from tests.study.storage.result.raced_studies import raced

METRICS = {
    "dev_mcc": 0.5,
    "adapter_parameters": 1200,
    "kept_parameters": 1010,
    "head_parameters": 32,
    "trainable_parameters": 1232,
}


def test_the_winner_has_initial_and_kept_parameters(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0, reports=1)
    ledger.append(Report(trial=0, report=1, step=40, metrics=METRICS))
    ledger.end(ledger.record.trials[0], "complete", "")
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}))
    console = Console(width=80, record=True, file=io.StringIO())
    print_summary(console, ledger, None)
    lines = console.export_text().splitlines()
    assert "parameters 1,232 trainable: 1,200 adapter (1,010 kept), 32 head" in lines


def test_the_printed_mlflow_command_opens_the_server_with_the_runs() -> None:
    assert _tracking_line("http://host:5000") == "  open http://host:5000"
    assert _tracking_line("sqlite:///a.db") == "  mlflow ui --backend-store-uri sqlite:///a.db"


def printed(ledger: StudyLedger, *, failed: bool = False) -> list[str]:
    console = Console(width=80, record=True, file=io.StringIO())
    if failed:
        print_failures(console, ledger, "")
    else:
        print_summary(console, ledger, None)
    return console.export_text().splitlines()


BOUND = 'constraints={trainable_parameters: "<= 1300", peak_memory_gib: "<= 4"}'
TWO = "objectives=[maximize dev_mcc, minimize trainable_parameters]"


def test_constraints_and_the_pareto_front_have_one_line_each(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(BOUND, TWO)
    for number, (score, size) in enumerate([(0.5, 1232), (0.9, 1400), (0.4, 1000)]):
        create(ledger, number, reports=1)
        metrics = METRICS | {
            "dev_mcc": score, "trainable_parameters": size, "peak_memory_gib": 2.0,
        }  # fmt: skip
        ledger.append(Report(trial=number, report=1, step=40, metrics=metrics))
        ledger.end(ledger.record.trials[number], "complete", "")
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}))
    lines = printed(ledger)
    assert (
        "bounds     trainable_parameters <= 1,300, peak_memory_gib <= 4: satisfied by 2 of 3 "
        "complete trials"
    ) in lines
    assert (
        "front      maximize dev_mcc, minimize trainable_parameters: trials 0, 2 (pareto.csv)"
    ) in lines
    plain = [line.split(" ")[0] for line in lines]
    assert plain.index("trials") + 1 == plain.index("bounds")


def test_without_a_feasible_trial_the_summary_names_the_smallest_violation(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(BOUND)
    create(ledger, 0, reports=1)
    metrics = METRICS | {"trainable_parameters": 1400, "peak_memory_gib": 8.0}
    ledger.append(Report(trial=0, report=1, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    assert printed(ledger, failed=True)[0] == (
        "the study could not finish: no complete trial meets the constraints; nearest comes trial "
        "0, with trainable_parameters 1,400 against 1,300 and peak_memory_gib 8 against 4"
    )


def test_full_fine_tuning_has_no_adapter_in_the_summary() -> None:
    # The second is of a version that counted no kept parameters under full fine-tuning.
    for kept in (1200, 0):
        metrics = METRICS | {"adapter_parameters": 0, "kept_parameters": kept}
        assert _parameters_line(metrics) == "parameters 1,232 trainable: 1,200 backbone, 32 head"
    assert _parameters_line({"dev_mcc": 0.5}) is None


def test_a_sick_study_is_named_before_its_winner(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.trials=8")
    for number in range(8):
        create(ledger, number, reports=1)
        metrics = METRICS | {"dev_mcc": 0.0}
        ledger.append(Report(trial=number, report=1, step=40, metrics=metrics))
        ledger.end(ledger.record.trials[number], "complete" if number == 0 else "failed", "nan")
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.0}, test={"test_mcc": 0.0}))
    lines = printed(ledger)
    assert lines[1] == "WARNING    7 of 8 trials failed."
    assert lines[2].startswith("           The best trial predicts one class for all sequences")
    assert lines[3].startswith("winner     trial 0")


def test_the_confirmed_scores_come_first_and_the_search_score_apart(
    open_ledger: OpenLedger,
) -> None:
    ledger = raced(open_ledger)
    lines = printed(ledger)
    place = next(n for n, line in enumerate(lines) if line.startswith("winner"))
    assert lines[place + 1 : place + 7] == [
        "dev        dev_mcc 0.4200 (0.1659 to 0.6741)",
        "test       test_mcc 0.4000 (0.1459 to 0.6541)",
        "           (2 fresh seeds; none collapsed, a rate of 0% to 84% (95 %); mean and 95 % "
        "interval over seeds on these rows)",
        "race       of 2 candidates; its score in the search, 0.5000, was off by +0.0800",
        "best/      the weights of the run in the search: test_mcc 0.3000",
        "as good    trials 0, 1 cannot be told from the winner",
    ]


def test_of_further_metrics_only_the_objective_is_printed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.metric=f1_macro")
    create(ledger, 0)
    metrics = {f"dev_{name}": 0.5 for name in ALL}
    ledger.append(Report(trial=0, report=4, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    [line] = [line for line in printed(ledger) if line.startswith("dev ")]
    assert re.findall(r"dev_\w+", line) == [
        "dev_f1_macro", "dev_mcc", "dev_auc", "dev_f1", "dev_accuracy", "dev_loss",
    ]  # fmt: skip


def test_baselines_are_in_the_summary(open_ledger: OpenLedger) -> None:
    ledger = raced(open_ledger)
    floors = {"majority": {"test_mcc": 0.0}, "kmer": {"test_mcc": 0.3}}
    ledger.record.opened = StudyOpened(baselines=floors)
    line = "baselines  test_mcc of the most frequent class 0.0000, of 5-mers 0.3000"
    assert line in printed(ledger)
