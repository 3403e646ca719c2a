"""Fine-tuning of one configuration, in any process.

Map, in the order in which a trial uses it:

    steps.py     how many steps there are; whether mask events fit into them
    plan.py      a resolved spec and the size of the data -> optimizer steps, report points, budget
    encoding.py  a task as the tokens of one backbone, on both strands where that is asked for
    tokens.py    how the tokenizer saw each split: lengths, what is cut
    encoded.py   tokenised splits as flat arrays
    data.py      their batches, and the strands they are read from: a function of (data seed, step)
    methods.py   adalora_rs, adalora, lora, fmft, linear_probe: what of a model trains
    optimizer.py AdamW over that, gradient clipping
    trial.py     Trial: the training loop, its evaluation, its checkpoint
    memory.py    peak memory of the process or of the GPU
    export.py    a trained trial as files
    forecast.py  what a whole space would do, before anything trains

Nothing here knows of Ray, Optuna or MLflow.
"""
