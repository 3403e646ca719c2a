"""Examines a study folder: `python -m study.doctor DIR`. Reads only, also while a driver runs.

Map:

    examination.py     the groups of checks, and the text for the terminal
    subject.py         Subject: the folder, read once
    finding.py         Finding: what is wrong, and how to fix it

    journal.py         events.jsonl line by line
    trials.py          the events of each trial, and the choice of the winner
    rungs.py           the recorded decisions against those of a scheduler with the same reports
    optuna_journal.py  optuna.journal against the record
    checkpoints.py     checkpoints/ against the record
    winner.py          best/ and best.yaml against the record
    tracking.py        MLflow against the record
    files.py           spec.yaml, trials.csv or results.csv, the disk

Checks import Ray, torch, Optuna or MLflow only when they run.
"""
