"""Runs a benchmark: backbones x tasks x methods x seeds in one run of Ray Tune, resumable.

Map:

    runs.py        the runs of a benchmark: a cell with a seed each
    inputs.py      backbones and tokenised tasks of the runs; what is unavailable, and why
    worker.py      Ray's Trainable, a process in which runs are trained
    scheduling.py  Ray's Searcher, which suggests runs with the resources of each
    results.py     results.csv: one row per run
    preview.py     the plan for --dry-run, without loading weights or data
    session.py     one session of the driver, from the checked input to results.csv
"""
