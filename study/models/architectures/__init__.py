"""Model classes that transformers lacks, with the parameter names of the hub's checkpoints.

Map:

    mosaicbert.py  DNABERT-2: BERT with ALiBi positions and gated feed-forwards
    gated_esm.py   Nucleotide Transformer v2: ESM with gated feed-forwards
    modernbert.py  ModernBERT with query, key and value as matrices of their own
    cnn/           a convolutional network without pre-training: model, tokenizer, default sizes
"""
