"""`adapter.method: peft`: adapters of Hugging Face's PEFT in a backbone that trials share.

    types.py      types and arguments of PEFT that a study does not take
    arguments.py  names, types and values of PEFT's arguments
    check.py      the arguments everywhere in a space, before anything runs
    config.py     the spec of a trial -> PEFT's config
    targets.py    the layers that are adapted
    snapshot.py   what PEFT may change in a model, to undo it bit for bit
    inject.py     adds the adapters to a model
    eva.py        initial weights from training batches
    adapters.py   PeftAdapters: their parameters, AdaLoRA's schedule, their removal
    files.py      trained adapters as a file, and as PEFT's own folder
    merging.py    trained adapters in the weights of the backbone

peft is imported by functions, when a trial of this method is prepared.
"""
