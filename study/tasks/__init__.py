"""Labelled sequences to fine-tune on: generated, published, or a user's own files.

loading.py    load_task: the task of a specification, generated or read, and checked
task.py       Task, which every source returns
split.py      Split: sequences and labels; the reverse complement
generated/    `promoters`, a task that is generated from a seed
published/    published tasks from the Hugging Face hub or a local copy
own_files.py  a folder with a file for each split, or one file; what else is there
parquet.py    one parquet file as a checked table; csv files are read by study/csv_table.py
columns.py    the columns of these tables and the rules of their cells; k-mers are joined
labels.py     labels as numbers, also those that are names of classes
drawing.py    dev and test drawn from train by shares and a seed
resplit.py    all rows of such a task, from which the splits of other seeds are drawn
checks.py     which classes must exist; what is suspicious but allowed
quality.py    sizes, classes, GC content, copies on either strand, conflicting labels
dedup.py      leaked, conflicting and repeated rows removed from train; a dev split cut from it
metrics.py    MCC, AUC, F1, accuracy and loss of a split's logits
baselines.py  majority class, GC content and k-mer counts: scores without a backbone
"""

from study.tasks.loading import load_task
from study.tasks.split import Split
from study.tasks.task import Task

__all__ = ["Split", "Task", "load_task"]
