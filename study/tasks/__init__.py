"""Labelled sequences to fine-tune on: generated from a seed, or read from csv files.

task.py        Split and Task, what every source returns
promoters.py   the generated task; elements.py: the published motifs it plants
csvfiles.py    a folder of train/dev/test csv, or one csv with a split column
checks.py      what is suspicious but allowed: duplicates, conflicting labels, imbalance
baselines.py   k-mer logistic regression and the majority class, the floors of any backbone
"""

from study.tasks.loading import load_task
from study.tasks.task import Split, Task

__all__ = ["Split", "Task", "load_task"]
