"""Runs studies: Ray Tune schedules, Optuna suggests, ASHA stops early, MLflow tracks.

Map, in the order of use:

    preparation.py  checks of the input and of services, before anything is written
    preview.py      the plan of a study, and with --calibrate what it costs
    estimate/       time and memory of a study, from a few timed steps
    session.py      one session of the driver over a study, from the checked input to the last file
    driver.py       what sessions of studies, benchmarks and comparisons have in common
    machine.py      facts of a machine, for the journal; its use by a worker
    cluster.py      starts or joins Ray; how many trials fit into the cluster
    nodes.py        checks that every node of a cluster can run trials
    resources.py    CPUs and GPUs of one trial
    tuning.py       the Tuner with searcher, scheduler and workers
    worker.py       Ray's Trainable around `study.training.trial.Trial`
    stalls.py       signs of life of workers; those that give none are killed
    reporting.py    conversion of reports to Ray's results and back
    checkpoints.py  the last two checkpoints of a trial
    winner.py       evaluates the winner once; best.yaml, best/
    audit.py        trains some stopped trials to their end
    stored_winner.py  the winner of a stored study, for export and prediction; needs no Ray
    scheduling/     Ray's Searcher and scheduler, Optuna's samplers, ASHA
    tracking/       MLflow
    console/        plan, live table, summary
    comparison/     configurations with crossed seeds (`python -m study.seeds`), and the race
    benchmark/      many cells instead of one space: `python -m study.benchmark`

The journal (`study.storage`) is the only state: everything else, such as Optuna's study, ASHA's
rungs, MLflow and the tables, is derived from it and can be rebuilt.
"""
