"""Examines a study folder: `python -m study.doctor DIR`. Reads only, beside a driver too.

Map:

    finding.py         what is wrong, and how to mend it
    subject.py         the folder, read once
    examination.py     all groups of checks, one after the other
    wording.py         what the terminal says

    journal.py         events.jsonl line by line
    trials.py          its events trial by trial, and the winner
    rungs.py           the decisions, made again by a scheduler that sees the same reports
    optuna_journal.py  optuna.journal against the record
    checkpoints.py     checkpoints/ against the record
    winner.py          best/ and best.yaml against the record
    tracking.py        MLflow against the record
    files.py           spec.yaml, trials.csv, the disk

A group that needs Ray, torch, Optuna or MLflow imports them when it is asked.
"""

from study.doctor.examination import Examination, examine, examine_closely
from study.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine", "examine_closely"]
