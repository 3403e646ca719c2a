"""Runs comparisons: configurations with crossed seeds, as one resumable Ray Tune run.

request.py           command line -> configurations with labels, and seeds
runs.py              a configuration, and one run of it with its seeds
design.py            the crossed design, and how a comparison may be extended
preview.py           the plan that --dry-run prints
shared_prefixes.py   runs that are identical until their first mask event train these steps once
scheduling.py        Ray's Searcher, which hands out the runs
worker.py            Ray's Trainable, which trains them
outputs.py           labels.npz and outputs/: probabilities and kept triplets of every run
results.py           results.csv, one row per run
execution.py         executes runs in a folder, in a Ray that has been started
session.py           one invocation of study.seeds
finalists.py         the race of a study's finalists, a comparison without fixed seeds
"""
