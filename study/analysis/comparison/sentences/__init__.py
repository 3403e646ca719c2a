"""The results of an analysis in plain sentences, as printed and shown on the page.

answers.py               all questions with their answers
runs.py                  what was run; failed, collapsed and missing runs
lottery.py               whether a rank pattern matters
pairs.py                 verdicts on two configurations
variance_components.py   shares of the variance
tasks.py                 several tasks
numbers.py               how intervals, percentages and counts are written
"""
