"""Labelled sequences to fine-tune on: generated from a seed, published, or your own csv files.

task.py        Split and Task, what every source returns
promoters.py   the generated task; elements.py: the published motifs it plants
csvfiles.py    a folder of train/dev/test csv, or one csv with a split column
published.py   the published tasks by name: repository, places, row counts
sources.py     their files: in a local copy, the hub's cache or the hub
parquet.py     one parquet file, as the table that a csv file becomes
devsplit.py    a dev split where the data set has none
quality.py     what the data is like: classes, GC content, copies on either strand, conflicts
checks.py      what is refused (a missing class), and what is suspicious but allowed
dedup.py       leaked, conflicting and repeated rows dropped from train
metrics.py     MCC, AUC, F1, accuracy and loss of a split's logits
baselines.py   majority, GC content and k-mers: the floors of any backbone
"""

from study.tasks.loading import load_task
from study.tasks.split import Split
from study.tasks.task import Task

__all__ = ["Split", "Task", "load_task"]
