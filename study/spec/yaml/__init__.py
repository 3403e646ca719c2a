"""YAML text -> plain values with lines, overrides, and errors that name file and line.

reader.py     text -> plain values, and the line of each
overrides.py  `--set a.b=c`
messages.py   validation errors -> one line
"""
