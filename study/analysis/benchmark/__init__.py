"""Tables, figures and report.html of a benchmark folder, beside the paper's numbers.

Map, in the order in which results.csv becomes a page:

    reading.py      results.csv -> BenchmarkResults: the rows, the tasks, backbones and methods
    scores.py       CellScores: mean, sd, n, failed and collapsed runs of a task, backbone, method
    top_two.py      Table 3: on how many tasks a backbone with a method is among the top two
    pareto.py       Figure 1: trainable parameters against MCC, and the Pareto front
    text_tables.py  scores, counts and points as tables of text, for markdown and the page
    heat_maps.py    scores and counts as heat maps with the numbers in their cells
    heat_map_plots.py, pareto_plots.py  draw heat maps and Figure 1 as PNG with matplotlib
    method_pairs.py methods in pairs on equal seeds: in every cell and, hierarchically, over tasks
    ranks.py        mean ranks over tasks with an interval
    next_runs.py    where further seeds would decide most
    sections.py     ResultSection: title, note, tables, picture, csv rows of a table or figure
    answer.py       which method is best in how many cells; the chart of all scores
    page.py         report.html, from benchmark.html.jinja
    writing.py      write_tables: writes all files
    closing.py      what the terminal prints when a benchmark ends

Published numbers come from `study.paper`. Neither Ray nor torch is needed. Failed and collapsed
runs are counted in their cell, and a cell without runs stays empty.
"""
