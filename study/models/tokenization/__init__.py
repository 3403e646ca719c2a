"""Tokenizers: DNA sequences -> token ids, from the tokenizer files of a backbone.

Map:

    tokenizer.py  Tokenizer: sequences -> ids, each letter and token checked
    files.py      the files -> vocabulary, split and scheme
    splits.py     the splits into words of a vocabulary
    special.py    the special tokens around a sequence, and the padding token

The files determine the scheme, one of seven:
- a vocabulary of single nucleotides, in any file: one token per letter;
- a BERT vocabulary of k-mers, in any file: overlapping k-mers (DNABERT);
- a vocab.txt of k-mers and single letters: adjacent k-mers, single letters where none fits (ESM);
- a vocab.txt of k-mers without single letters: adjacent k-mers, the last one filled up with A
  (GENERator);
- dna_config.json: the same k-mers, after the tokens of a language model (Carbon);
- vocab.json and merges.txt: byte-level BPE of GPT-2 (OPT);
- any other tokenizer.json: as it specifies (BPE in DNABERT-2).
"""

from study.models.tokenization.files import (
    HYBRID,
    library_tokenizer,
    load_tokenizer,
    token_lengths,
)
from study.models.tokenization.splits import MISSING, adjacent_words, word_length
from study.models.tokenization.tokenizer import Tokenizer

__all__ = [
    "HYBRID",
    "MISSING",
    "Tokenizer",
    "adjacent_words",
    "library_tokenizer",
    "load_tokenizer",
    "token_lengths",
    "word_length",
]
