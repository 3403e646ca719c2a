"""The specification of a comparison.

schema.py      spec.yaml: configurations by label, and seeds of each factor
opponents.py   configurations that --against and --vary add
"""
