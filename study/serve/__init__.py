"""Shows the studies of a folder in a browser on this machine: `python -m study.serve STORAGE`.

Map:

    __main__.py      the command
    library.py       the studies of a folder: their state, and their pages from the journal
    server.py        requests: only of this machine, only reading
    links.py         whether MLflow and optuna-dashboard run on this machine
    list.html.jinja, live.html.jinja, live.js   the list; a page that follows a study

Writes nothing. A request names a study, never a path.
"""
