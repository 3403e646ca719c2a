"""A benchmark while it runs: backbones x tasks x methods x seeds, one Ray Tune run, resumable.

runs.py         cells and seeds -> runs
material.py     the backbones and tokenised tasks of the runs; what cannot be had is said
worker.py       a Ray process in which runs train, one by one
scheduling.py   Ray's Searcher: the runs, each with its share of the cluster
results.py      results.csv, one row a run
preview.py      the plan, for --dry-run, without weights and without data
session.py      one run of the driver
"""
