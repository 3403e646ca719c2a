"""Published tasks of GUE and of the Nucleotide Transformer.

catalogue.py  the tasks by name: repository, places, row counts, citation
files.py      their files: in a local copy, the hub's cache, or downloaded from the hub
"""
