"""Tasks that are generated from a seed.

promoters.py   300 bp promoters and negatives made from them
elements.py    published core-promoter motifs: consensus, position, frequency
background.py  the sequence around the motifs, by a Markov chain with a GC profile
"""
