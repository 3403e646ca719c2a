"""Fine-tuning of one configuration, in any process, without Ray, Optuna and MLflow.

Map, in the order in which a trial uses them:

    steps.py         number of optimizer steps; checks that mask events fit into them
    plan.py          TrainingPlan: steps, reports, learning rates, budget of a resolved spec
    token_report.py  TokenReport: sequence lengths in tokens, truncated sequences
    encoding.py      EncodedTask: the token ids of a task's splits, on one or both strands
    batches.py       batches of a split: a function of (data seed, step)
    methods.py       the trained parameters of adalora_rs, adalora, lora, fmft, linear_probe
    peft/            the adapters of Hugging Face's PEFT
    optimizer.py     AdamW over these parameters; gradient clipping
    trial.py         Trial: training loop, evaluation, checkpoint
    mask_probe.py    other masks at the mask events of a trial: what one mask costs
    facts.py         parameter counts and ranks, reported with the scores
    memory.py        peak memory, out-of-memory errors
    precision.py     the dtype of matrix products
    files/           the files of a trained trial, written and read
    prediction/      class probabilities of sequences by the trained model
    forecast.py      plans and parameter counts of a space, before anything is trained
    timing.py        times a few steps and an evaluation of a trial
"""
