"""Scores of configurations over seeds and tasks.

summary.py      mean, sd, IQM, worst and CVaR of each configuration; failed and collapsed runs
questions.py    which pairs of configurations are compared, and the kind of each question
paired.py       two configurations on equal seeds: difference, interval, p-values
crossed.py      mean of scores that share crossed seeds: interval and p-values
statistics.py   IQM, CVaR, bootstrap over seeds, probability of improvement, Holm
tasks.py        several tasks: mean ranks, Wilcoxon tests, critical difference, pooled IQM
"""
