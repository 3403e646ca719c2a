"""Schedules trials and runs: Ray's Searcher and scheduler, Optuna's samplers, ASHA.

Map:

    dispatch.py      the Searcher over a ledger: as many trials as fit, crashed ones again
    search.py        the Searcher of a study: Optuna's ask and tell
    samplers.py      Optuna's samplers by name, with a new seed for every trial
    optuna_study.py  the record as an Optuna study
    optuna_file.py   the same in optuna.journal, for optuna-dashboard
    rungs.py         the reports at which ASHA decides
    asha.py          the scheduler of a study: Ray's ASHA with journalled decisions
    runs.py          Searcher and scheduler of single runs, of a benchmark or a comparison
    outcomes.py      reports and crashes of workers, recorded in the journal
"""
