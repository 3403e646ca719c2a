"""What is printed: plan, live table, summary.

Map:

    lines.py     warnings, lines, tables and values
    plan.py      the plan of a study, for --dry-run
    costs.py     its steps, and its time and memory if they were measured
    display.py   phases, and what listens while a command works
    progress.py  the live view, or a line for each start and end
    view.py      a snapshot as lines that fit a terminal
    live_page.py keeps report.html current
    summary.py   the end of a study: winner, failures, next commands
"""
