"""report.html of a study folder, finished or not.

Map, in the order in which a folder becomes a page:

    reading.py           study folder -> StudyData: spec, events, trials, mask events of the winner
    overview.py          settings, searched parameters, states, times, machine, versions
    failures.py          reasons of failures, where in the space they lie, tracebacks
    answer.py            which settings, their scores with intervals, what they are held against
    certainty.py         each searched setting: the winner's value among those that are as good
    data_table.py        the data: rows, classes, GC content, copies, tokens
    winner.py            the winner's numbers of parameters; budget, kept and rank
    finalists.py         the race of the finalists: scores with fresh seeds
    curves.py            learning curves, rungs, best score so far
    mask_probe.py        what one mask costs: the probes of the trials
    mask_events.py       which triplets the mask events of a run kept
    front.py             several objectives: the Pareto front of the trials
    trial_table.py       all trials, best first
    allocation.py        the winner's mask events: budget, kept, rank of every matrix
    figures/             the numbers of the charts
    page_data.py         the trials and numbers that the page's scripts read
    page.py              write_report: report.html, from report.html.jinja
    sections/            a template of each section, and the script of its charts
"""
