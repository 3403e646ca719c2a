"""Labelled sequences to fine-tune on: generated from a seed, published, or your own csv files.

task.py        Split and Task, what every source returns
promoters.py   the generated task; elements.py: the published motifs it plants
csvfiles.py    a folder of train/dev/test csv, or one csv with a split column
published.py   the published tasks by name: repository, places, row counts
sources.py     their files: in a local copy, the hub's cache or the hub
parquet.py     one parquet file, as the table that a csv file becomes
devsplit.py    a dev split where the data set has none
checks.py      what is suspicious but allowed: duplicates, conflicting labels, imbalance
baselines.py   k-mer logistic regression and the majority class, the floors of any backbone
"""

from study.tasks.loading import load_task
from study.tasks.task import Split, Task

__all__ = ["Split", "Task", "load_task"]
