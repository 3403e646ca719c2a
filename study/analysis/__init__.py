"""What a study folder or a benchmark folder says, for people: a page with tables and pictures.

Map, from a study's folder to its page:

    reading.py     a study folder -> StudyData: spec, trials, winner, budget trace
    curves.py      learning curves, rungs, best so far
    parameters.py  the score against each searched parameter
    front.py       several objectives: the trials that no other beats
    allocation.py  the winner's budget, what was kept, and the rank of every matrix
    importance.py  which parameters the score depends on, by Optuna's estimate
    facts.py       what was asked, and how the trials ended
    data.py        the data: classes, GC content, copies, tokens
    tables.py      all trials, best first
    winner.py      the winner: settings, scores, parameters, budget against kept
    plots.py       the pictures, from the data of the above; allocation_plots.py: the winner's
    page.py        report.html, from the template beside it
    early_stopping.py  of trials that all ran to their end: what rungs would have been worth
    html.py        what both kinds of page share; base.html.jinja: their looks
    benchmark/     the same for a benchmark folder: the paper's tables, from results.csv

All of it reads; `page.write_report` writes the one file of a study, `benchmark.write_tables` those
of a benchmark. Neither Ray nor torch is needed, so a report can be made where no study could run,
and of a study that is still running.
"""
