"""One study folder: what is in it, how it is read, written, resumed and extended.

Map:

    folder.py      StudyFolder: the paths of all files
    events.py      the events of the journal, a class each
    parsing.py     JSON objects <-> events, with checks of their fields
    journal.py     events.jsonl: its lines read and appended
    record.py      StudyRecord: the state of all trials, computed from the events
    consistency.py what may follow what in a journal, and fits the spec
    stalls.py      when a worker counts as stalled
    stored.py      StoredStudy: a folder that has been read once
    ledger.py      Ledger: journal and record of a running study, updated together
    opening.py     whether a study may start or resume in a folder; its lock
    growth.py      more trials, points or a wider space when a study is resumed
    warm_start.py  results of an earlier study for the sampler
    race.py        the race of the finalists, as a function of their scores
    auditing.py    which stopped trials train to their end
    runs.py        runs of a benchmark or comparison and their trials
    tables.py      trials.csv and pareto.csv
    commands.py    command lines for a stored study: train the winner again, resume, export
    result/        StudyResult: what page, terminal, tables and MLflow show of a study
    live/          the state of a folder while its study runs
    durable.py     files that are replaced whole and survive a loss of power

Needs neither Ray nor torch. The same folder layout serves benchmarks and comparisons.
"""
