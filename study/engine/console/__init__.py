"""What is printed: plan, live table, summary.

Map:

    lines.py     warnings, lines, tables and values
    plan.py      the plan of a study, for --dry-run
    costs.py     its steps, and its time and memory if they were measured
    progress.py  the live table of a running study
    summary.py   the end of a study: winner, failures, next commands
"""
