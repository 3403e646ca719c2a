"""Verdicts on pairs of configurations that were run with the same fresh seeds.

sequence.py     confidence sequence of the mean difference: an interval that holds at every look
flips.py        exact sign-flip test, for a single look
decision.py     better, worse, equal or undecided, by the interval and the rope
"""
