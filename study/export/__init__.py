"""The winner of a study as files for other programs: `python -m study.export DIR --to FORMAT`.

Map:

    __main__.py     the command: checks, the new folder
    formats.py      the formats by name, each a module with `check` and `write`
    merged.py       weights for the backbone's class in transformers
    peft_folder.py  adapters and head for PEFT
    onnx_file.py    model.onnx
    rank_pattern.py the rank of every layer for peft.LoraConfig, and the agreement of seeds
    usage.py        the code that loads a folder, for its model card
    card.py         the model card, README.md
"""
