"""Variance components: the variance of scores due to mask, init and data seeds.

terms.py            terms of the random-effects model, and which of them a design can estimate
strata.py           mean squares of a complete grid of scores, and their expectations
reml.py             estimates by REML
intervals.py        bootstrap limits of components and of their shares
components.py       all of these for one design
configurations.py   all of these for the configurations of a folder; runs needed for a pair
sample_size.py      number of runs that decide a difference, or the mask's share of the variance
"""
