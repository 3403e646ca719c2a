"""Runs without a usable score: failed, or collapsed to guessing.

A run of which the score says nothing about the method is not a low score but another outcome. So
the rate of such runs is compared apart, with exact tests, and scores are compared over the other
runs.

rates.py        rates with exact intervals; exact tests of two rates
guessing.py     the range of guessing: which runs have collapsed
"""
