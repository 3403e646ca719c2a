"""Hyperparameter and robustness studies of AdaLoRA+RS on genomic classification."""
