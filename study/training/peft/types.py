"""The types of PEFT that a study cannot train, and the arguments that a study sets itself.

Every other type of PEFT works: it changes the layers of a backbone, and its trained weights are
files of their own.
"""

_BEFORE = "it puts trained vectors before the sequence, where the classifiers do not expect them"
REFUSED = {
    "PROMPT_TUNING": _BEFORE,
    "MULTITASK_PROMPT_TUNING": _BEFORE,
    "P_TUNING": _BEFORE,
    "PREFIX_TUNING": _BEFORE,
    "CPT": _BEFORE,
    "CARTRIDGE": _BEFORE,
    "ADAPTION_PROMPT": "PEFT has it for language models with a decoder of their own alone",
    "POLY": "it needs the number of a task with every sequence",
    "SHADOW": "it adds a second network to a language model",
    "TRAINABLE_TOKENS": "it trains embeddings of chosen tokens, no layer",
    "XLORA": "it mixes adapters that were trained before",
}
"""Types that cannot be trained here, and why."""

OWNED = {
    "task_type": "the task is classification",
    "inference_mode": "the adapter trains",
    "base_model_name_or_path": "it is backbone.name",
    "revision": "it is backbone.revision",
    "auto_mapping": "PEFT writes it",
    "peft_version": "PEFT writes it",
    "modules_to_save": "the head trains with every method",
    "feedforward_modules": "it follows from matrices",
    "total_step": "it is the number of steps of the training",
    "runtime_config": "it is for inference",
    "megatron_config": "no backbone is one of Megatron",
    "megatron_core": "no backbone is one of Megatron",
    "layer_replication": "the layers are those of the backbone",
    "trainable_token_indices": "the embeddings stay frozen",
    "target_parameters": "the layers are given by matrices or target_modules",
    "alora_invocation_tokens": "it is for generated text",
    "arrow_config": "it mixes adapters that were trained before",
    "corda_config": "its initial weights need a pass over other data",
    "lora_ga_config": "its initial weights need a pass over other data",
    "monteclora_config": "it needs a loss of its own",
    "use_asa": "its schedule is not driven here",
}
"""Arguments that cannot be given, and why."""

REFUSED_INITS = ("corda", "lora_ga", "loftq")
"""Values of init_lora_weights that need data or a quantised backbone."""

SEEDS = (
    "projection_prng_key",
    "projection_seed",
    "proj_seed",
    "random_loc_seed",
    "random_seed",
)
"""Arguments with the seed of weights that are drawn: those of a trial have its seed `init`."""
