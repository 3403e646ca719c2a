"""YAML text -> plain values with lines, overrides, and errors that name file and line.

reader.py       text -> plain values, and the line of each
overrides.py    `--set a.b=c`
messages.py     validation errors -> one line
corrections.py  what to write instead of a domain, a value or a file of another tool
spellings.py    domains of other tools -> domains
aliases.py      names of other tools -> keys and values
"""
