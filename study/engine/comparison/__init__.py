"""Replicates: the same settings with other seeds, one Ray Tune run, resumable.

asked.py          the command line -> configurations with labels, and seeds
replicate.py      a configuration and its replicates; what they are known by
design.py         all of them, crossed, and how a comparison may grow
preview.py        the plan, for --dry-run
prefixes.py       runs that are alike until their first mask event train that beginning once
scheduling.py     Ray's Searcher: what a source wants, in its order
worker.py         a Ray process in which replicates train, one by one
outputs.py        labels.npz and outputs/: what runs answer, for whoever compares them
results.py        results.csv, one row a run
running.py        all of these in one folder, inside a Ray that is there
session.py        one run of the driver
"""
