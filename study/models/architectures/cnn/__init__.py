"""`backbone.name: cnn`, a small convolutional network on one-hot DNA, without pre-training.

model.py is the class; config.json and vocab.txt are read like those of any backbone. Sizes are
leaves of the `backbone` section, so that every trial has a model of its own: `fresh_cnn`.
"""
