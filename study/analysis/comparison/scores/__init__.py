"""Scores of configurations over seeds and tasks.

summary.py      mean, sd, IQM, worst and CVaR of each configuration; failed and collapsed runs
questions.py    which pairs of configurations are compared, and the kind of each question
collapsed.py    runs that have collapsed, and those with a usable score
paired.py       two configurations on equal seeds: difference, intervals, decision
crossed.py      mean of scores: interval and p-value, also of runs that share crossed seeds
statistics.py   IQM, CVaR, bootstrap over seeds, probability of improvement, Holm
tasks.py        several tasks: mean ranks, Wilcoxon tests, critical difference, IQM
hierarchy.py    several tasks: a hierarchical model of the differences
"""
