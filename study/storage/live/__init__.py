"""What is known of a folder while its study runs, from the journal alone.

Map:

    snapshot.py   Snapshot: trials by state, best, rungs, running trials, failures, time left
    building.py   the snapshot of a study, a benchmark or a comparison from its record

The terminal of a driver, `study.status` and `study.serve` show the same snapshot.
"""
