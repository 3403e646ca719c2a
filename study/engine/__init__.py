"""The study while it runs: Ray Tune schedules, Optuna suggests, ASHA stops, MLflow records.

Map, in the order in which a study meets them:

    journal.py    events.jsonl: what happened, appended by the driver alone; everything else
                  here is derived from it and can be rebuilt
    durable.py    files that are there whole or not at all, also after a loss of power
    record.py     the events folded into one state per trial
    ledger.py     journal and record in step: the one place through which a study records
    folder.py     the study folder: opening, locking, the names of its files
    growth.py     what may differ when a study goes on: more trials, a larger space
    preparation.py  everything that can be wrong with the input, checked before anything heavy
    nodes.py      whether every node of a cluster can run the trials, asked before they start
    resources.py  what one trial gets of the cluster
    preview.py    the plan, for --dry-run
    search.py     Optuna's ask and tell behind Ray's Searcher
    warm_start.py  the results of an earlier study that a new one begins with
    samplers.py   the samplers that are asked
    optuna_study.py  the record as Optuna sees it, in memory and in optuna.journal
    stopping.py   Ray's ASHA, fed with a trial's own report index
    worker.py     Ray's Trainable around study.training.Trial; warm workers
    tracking.py   MLflow, brought up to date with the record by a thread: the driver never waits
    tracking_runs.py  what MLflow holds of a study: runs adopted or created, and what they lack
    tracking_address.py  where a study is tracked, and whether something answers there
    tracked_runs.py  what MLflow holds of a study, for whoever only looks
    progress.py   the live table
    execution.py  the Tuner that ties them together
    race.py       which trial is really the best, by fresh seeds: the rules alone
    finalists.py  that race, run
    results.py    trials.csv, pareto.csv, best.yaml, best/: what is left when the study is done
    summary.py    what the terminal says then
    doctor/       whether all these files agree: python -m study.doctor
    beginning.py  how every run of the driver begins
    session.py    one run of the driver, from the checked input to the last file
    runs.py       runs asked for one by one, and where the journal has them
    run_scheduling.py  Ray's Searcher and scheduler of such runs
    replicates/   the same settings with other seeds: python -m study.seeds
    benchmark/    many cells in place of one space: python -m study.benchmark
"""
