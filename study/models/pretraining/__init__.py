"""How the embedded backbone is made: DNA text in, an OPT model with its tokenizer out.

text.py        lines of the data files, the held-out share, pieces for evaluation
overlap.py     which lines share a long exact stretch with other sequences, on either strand
corpus.py      the two put together: the text of a run and the baseline's score for it
bpe.py         the byte-pair tokenizer
packing.py     one pass over the text as rows of token ids
decoder.py     the model, its initial weights and its export to float16
markov.py      the order-5 baseline
loop.py        training, held-out evaluation, checkpoints, exact resumption
"""
