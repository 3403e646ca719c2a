"""Compares configurations over many seeds: `python -m study.seeds`.

Map, in the order of use:

    __main__.py   the command
    options.py    its options
"""
