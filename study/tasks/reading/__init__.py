"""Files of sequences, with or without labels: csv, tsv, parquet and FASTA, also compressed.

sequences.py  read_sequences: one file in any format as checked rows; its names, labels, columns
columns.py    the columns that are asked for, and the rules of their cells
letters.py    the letters of a sequence: k-mers are joined, RNA is read as DNA, others refused
fasta.py      FASTA as a table; labels from its headers or from a table beside it
parquet.py    one parquet file as a checked table; csv files are read by study/csv_table.py
"""

from study.tasks.reading.columns import columns_of
from study.tasks.reading.sequences import FORMATS, Sequences, read_parts, read_sequences

__all__ = ["FORMATS", "Sequences", "columns_of", "read_parts", "read_sequences"]
