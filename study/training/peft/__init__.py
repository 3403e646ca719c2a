"""`adapter.method: peft`: adapters of Hugging Face's PEFT in a backbone that trials share.

    snapshot.py  what PEFT may change in a model, to undo it bit for bit
    adapters.py  PeftAdapters: PEFT's layers in a model, their parameters, their removal

peft is imported by functions, when a trial of this method is prepared.
"""
