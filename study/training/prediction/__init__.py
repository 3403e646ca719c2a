"""Class probabilities of sequences by a trained model.

inputs.py     sequences -> token ids; long ones are refused, cut or read in windows
predictor.py  Predictor: logits and probabilities
"""
