"""A study whose race is over."""

from study.storage.events import CandidateScores, RaceDecided, RaceResult, WinnerEvaluated
from study.storage.ledger import StudyLedger
from study.storage.race import fresh_seeds
from tests.study.ledgers import OpenLedger, create, report

SCORES = [0.45, 0.6, 0.5, 0.05]
"""Of the trials in the search; the last was stopped early."""


def raced(open_ledger: OpenLedger) -> StudyLedger:
    """Trial 2 has won the race against trial 1."""
    ledger = open_ledger("search.trials=8", "finalists.confirm=2")
    for number, score in enumerate(SCORES):
        create(ledger, number)
        stopped = number == 3
        for index in range(1, 3 if stopped else 5):
            report(ledger, number, index, score)
        ledger.end(ledger.record.trials[number], "pruned" if stopped else "complete", "")
    ledger.append(RaceDecided(candidates=[1, 2], rounds=[[1, 2]], winner=2))
    race = RaceResult(
        candidates=[
            CandidateScores(trial=1, search=0.6, fresh=[0.41]),
            CandidateScores(trial=2, search=0.5, fresh=[0.45, 0.40, 0.44]),
        ],
        rounds=[[1, 2]],
        seeds=[fresh_seeds(ledger.spec.seeds.model_dump(), repeat) for repeat in (1, 2)],
        failed=0,
        dev={"dev_mcc": [0.40, 0.44]},
        test={"test_mcc": [0.38, 0.42]},
    )
    single = {"dev_mcc": 0.5}
    ledger.append(WinnerEvaluated(trial=2, dev=single, test={"test_mcc": 0.3}, race=race))
    return ledger
