"""Tracks a study in MLflow.

Map:

    address.py  the address of the tracking server or database, and checks of it
    tracker.py  the thread of the driver that keeps MLflow up to date
    entries.py  metrics and parameters of a trial for MLflow's requests
    runs.py     the runs of a study in MLflow: found or created, and completed
    view.py     reads the runs of a study without changing them
"""
