"""Pre-training of the embedded backbone: DNA text -> OPT model and tokenizer.

Map:

    text.py     lines of the data files, the held-out lines, pieces for evaluation
    overlap.py  lines that share 50 bases with other sequences, on either strand
    markov.py   the baseline: a Markov chain of order 5
    corpus.py   Corpus: training text, held-out text, the baseline's score
    bpe.py      the byte-pair tokenizer
    packing.py  one pass over the text as rows of token ids
    decoder.py  the model: initial weights, loss, bits per base, export
    loop.py     PretrainingLoop: steps, evaluation, checkpoints, exact resumption
"""
