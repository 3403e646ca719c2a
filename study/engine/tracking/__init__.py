"""Tracks a study in MLflow and TensorBoard.

Map:

    address.py   the tracking address of a study, and checks of it
    server.py    addresses of servers, and whether one answers
    database.py  addresses of sqlite databases, and checks of them
    creation.py  new databases, complete or not at all
    tracker.py   the thread of the driver that keeps MLflow up to date
    outage.py    why MLflow cannot be written, with what to install or set
    client.py    MLflow's client, without messages of its own
    subject.py   what runs are of: experiment, names, what all of them share
    entries.py   metrics and parameters of a trial for MLflow's requests
    runs.py      the runs of a study in MLflow: found or created, and completed
    summary.py   the result of a study, for its parent run
    winner_model.py  the winner as a model of MLflow
    served_model.py  the part of that model that MLflow runs
    locations.py where files are after a folder has been moved
    view.py      reads the runs of a study without changing them
    tensorboard.py  files for TensorBoard
"""
