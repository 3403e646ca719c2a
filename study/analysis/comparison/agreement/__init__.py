"""Agreement of runs that differ in their seeds.

stability.py      overlap of kept triplets, mean and sd of the rank of every matrix
disagreement.py   share of examples whose predicted class differs between runs
"""
