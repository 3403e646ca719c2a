"""The specification of a benchmark: backbones x tasks x methods x seeds.

schema.py   the sections of its YAML
cells.py    the settings of each backbone, task and method
loading.py  YAML and overrides -> spec and cells, and back
"""
