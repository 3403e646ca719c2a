"""Class probabilities of new sequences by the winner of a study: `python -m study.predict`.

Map, in the order of use:

    __main__.py   the command
    rows.py       Rows: the sequences of a file of any length, part by part; checked before use
    logits.py     LogitsFile: logits of all rows on disk, a file for each seed
    progress.py   Progress: rows so far and the time left, on standard error
    table.py      the probabilities as csv; the scores, if the file has labels
"""
