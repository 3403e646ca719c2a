"""Files written by an analysis: tables/*.csv and report.html.

page.py                 writes them
tables.py               rows of each csv
figures.py              the chart of every run, which comparison.js draws
pictures.py             values of each figure
plots.py                draws the figures with matplotlib
comparison.html.jinja   template of report.html
"""
