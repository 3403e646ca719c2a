"""What a benchmark folder says: its results.csv as tables and pictures beside the paper's numbers.

Map, from the file to the page:

    reading.py   results.csv -> Benchmark: its runs, tasks, backbones and methods in order
    cells.py     runs of one task, backbone and method -> a cell: mean, sd, n, failed, collapsed
    top2.py      Table 3: on how many tasks a cell is among the top two
    pareto.py    Figure 1: trainable parameters against MCC, and the front
    sampling.py  how far a score can be off because the test split is a sample
    sheets.py    all of these as text in rows and columns, for markdown and the page
    tiles.py     cells and counts as coloured tiles with numbers on them
    plots.py     the pictures as PNG (matplotlib is here alone)
    sections.py  a title, sheets, a picture and csv rows for each table
    page.py      report.html: the sections, how the runs ended, how to read
    tables.py    write_tables: everything into the folder

Published numbers come from `study.paper`. Neither Ray nor torch is needed. A cell is a mean over
seeds and says over how many; what failed or collapsed is counted in it, and what was not run is
empty.
"""

from study.analysis.benchmark.tables import write_tables

__all__ = ["write_tables"]
