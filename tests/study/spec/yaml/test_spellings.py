"""Domains, keys and files as other tools write them: refused with the line to write here."""

import pytest
from ruamel.yaml import YAML

from study.spec.yaml.spellings import flow


def categorical(*choices: object) -> str:
    return f"{{type: categorical, choices: [{', '.join(map(str, choices))}]}}"


RATES = "p: " + categorical(0.0, 0.05, 0.1)
RANGE = "p: {type: float, low: 0.0, high: 0.3}"
WHOLE = "b0: {type: int, low: 6, high: 14}"
LOG = "lr: {type: float, low: 0.0001, high: 0.01, log: true}"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        # W&B
        ("p: {values: [0.0, 0.05, 0.1]}", RATES),
        ("p: {distribution: categorical, values: [0.0, 0.05, 0.1]}", RATES),
        ("p: {distribution: uniform, min: 0.0, max: 0.3}", RANGE),
        ("p: {value: 0.1}", "p: 0.1"),
        ("b0: {min: 6, max: 14}", WHOLE),
        ("b0: {distribution: int_uniform, min: 6, max: 14}", WHOLE),
        ("b0: {distribution: q_uniform, min: 6, max: 14, q: 2}", WHOLE[:-1] + ", step: 2}"),
        ("lr: {distribution: log_uniform_values, min: 1e-4, max: 1e-2}", LOG),
        (
            "lr: {distribution: log_uniform, min: -9.21034, max: -4.60517}",
            LOG,
        ),
        # Ray
        ("p: {grid_search: [0.0, 0.05, 0.1]}", RATES),
        ("p: tune.choice([0.0, 0.05, 0.1])", RATES),
        ("p: ray.tune.uniform(0.0, 0.3)", RANGE),
        ("b0: {tune.randint: [6, 15]}", WHOLE),
        ("b0: tune.randint(6, 15)", WHOLE),
        ("b0: tune.qrandint(6, 14, 2)", WHOLE[:-1] + ", step: 2}"),
        ("lr: tune.loguniform(1e-4, 1e-2)", LOG),
        # Optuna
        ("p: {suggest_float: {low: 0.0, high: 0.3}}", RANGE),
        ("p: trial.suggest_float('p', 0.0, 0.3)", RANGE),
        ("p: {type: uniform, low: 0.0, high: 0.3}", RANGE),
        ("b0: trial.suggest_int('b0', 6, 14, step=2)", WHOLE[:-1] + ", step: 2}"),
        ("p: trial.suggest_categorical('p', [0.0, 0.05, 0.1])", RATES),
        ("lr: FloatDistribution(low=1e-4, high=1e-2, log=True)", LOG),
        ("lr: {name: FloatDistribution, attributes: {low: 1e-4, high: 1e-2, log: true}}", LOG),
        # Hydra
        ("p: range(0.0, 0.3)", RANGE),
        ("lr: tag(log, interval(1e-4, 1e-2))", LOG),
        ("p: choice(0.0, 0.05, 0.1)", RATES),
        ("p: 0.0,0.05,0.1", RATES),
        ("prune_mode: choice(zero, mask)", "prune_mode: " + categorical("zero", "mask")),
        # hyperopt, NNI, Keras Tuner, Ax, scikit-optimize
        ("p: hp.uniform('p', 0.0, 0.3)", RANGE),
        ("p: {_type: choice, _value: [0.0, 0.05, 0.1]}", RATES),
        ("p: {_type: uniform, _value: [0.0, 0.3]}", RANGE),
        ("b0: {min_value: 6, max_value: 14}", WHOLE),
        ("lr: {type: range, bounds: [1e-4, 1e-2], log_scale: true}", LOG),
        ("lr: Real(1e-4, 1e-2, prior='log-uniform')", LOG),
        # lists, and domains with a part of their keys
        ("p: [0.0, 0.05, 0.1]", RATES),
        ("p: [0.0, 0.3]", RANGE + " or p: " + categorical(0.0, 0.3)),
        ("lr: [1e-4, 1e-2]", LOG + " or lr: " + categorical(0.0001, 0.01)),
        ("b0: {low: 6, high: 14}", WHOLE),
        ("b0: {type: int, min: 6, max: 14}", WHOLE),
        ("bT: {min: 0.25, max: 1.0}", "bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}"),
        ("deltaT: {min: 5, max: 30}", "deltaT: {type: int, low: 5, high: 30}"),
        (
            "lr: {type: float, min: 1e-4, max: 1e-2, log: true, role: nuisance}",
            LOG[:-1] + ", role: nuisance}",
        ),
    ],
)
def test_a_domain_of_another_tool_is_refused_with_the_line_to_write(read, refused, given, written):
    line = refused(space(given))
    assert line.startswith("x.yaml:4: ")
    assert line.endswith(f"; write {written}")
    assert "must have the type float, int or categorical, but got" in line
    for accepted in written.split(" or "):
        read(space(accepted))


def space(leaf: str) -> str:
    sections = [
        ["training:", "  steps: 200"],
        ["adapter:", "  method: adalora_rs"],
    ]
    other, own = sections if not leaf.startswith("lr") else sections[::-1]
    return "\n".join([*other, own[0], f"  {leaf}", own[1]])


@pytest.mark.parametrize(
    ("text", "end"),
    [
        # keys of PEFT and the Trainer
        (
            "adapter: {method: adalora, init_r: 12}",
            "adapter.init_r: must be a known key, but got 'init_r'; write b0: 12",
        ),
        ("adapter: {method: lora, lora_alpha: 16}", "write alpha: 16"),
        ("adapter: {method: lora, target_modules: [q_proj]}", "did you mean `matrices`?"),
        ("adapter: {method: lora, matrices: [q_proj]}", "but got 'q_proj'; did you mean `q`?"),
        (
            "adapter: {method: lora, init_r: 12}",
            "remove it, as b0 is only a setting of adalora_rs, adalora",
        ),
        ("training: {learning_rate: 1e-3}", "write lr: 0.001"),
        ("training: {bf16: true}", "did you mean `precision`?"),
        ("training: {trials: 3}", "did you mean `search.trials`?"),
        (
            "steps: 5",
            "steps: must be a known key, but got 'steps'; did you mean `training.steps`?",
        ),
        ("learning_rate: 5", "did you mean `training.lr`?"),
        ("model: facebook/opt-125m", "did you mean `backbone`?"),
        ("scheduler: {max_t: 100}", "did you mean `training.steps`?"),
        (
            "search: {mode: min}",
            "leave it out, as loss, brier and ece are minimized and the other metrics maximized",
        ),
        (
            "search: {sampler: {name: grid, n_startup_trials: 8}}",
            "must be a known key, but got 'n_startup_trials'; known keys: name",
        ),
        # names of other tools
        ("search: {sampler: TPESampler}", "write sampler: {name: tpe}"),
        ("search: {sampler: bayes}", "write sampler: {name: tpe}"),
        ("search: {sampler: {name: TPESampler}}", "did you mean `tpe`?"),
        ("search: {sampler: {name: NSGAIISampler}}", "did you mean `nsgaii`?"),
        ("search: {metric: eval_loss}", "did you mean `loss`?"),
        ("search: {metric: MCC}", "did you mean `mcc`?"),
        ("scheduler: {name: ASHAScheduler}", "did you mean `asha`?"),
        ("scheduler: asha", "write scheduler: {name: asha}"),
        ("adapter: LoRA", "write adapter: {method: lora}"),
        ("backbone: facebook/opt-125m", "write backbone: {name: 'facebook/opt-125m'}"),
        ("adapter: {method: AdaLoRA}", "did you mean `adalora`?"),
        ("training: {precision: bfloat16}", "did you mean `bf16`?"),
        # values of another type
        ("training: {lr: '1e-3'}", "must be a number, but got '1e-3'; write 0.001"),
        ("training: {steps: 40.0}", "must be a whole number, but got 40.0; write 40"),
        ("adapter: {method: adalora, b0: {type: int, low: 6.0, high: 9}}", "write 6"),
        ("task: {max_length: None}", "but got 'None'; write null or leave it out"),
        ("task: {rc_augment: yes}", "must be true or false, but got 'yes'; write true"),
        ("task: {rc_augment: Off}", "write false"),
        ("adapter: {method: lora, matrices: q}", "write matrices: [q]"),
        # what cannot be searched
        ("adapter: {method: {values: [lora, adalora]}}", "run a study for each"),
        ("adapter: {method: " + categorical("lora", "adalora") + "}", "run a study for each"),
        (
            "training: {steps: {values: [5, 9]}}",
            "must be one value, but got {values: [5, 9]}; this cannot be searched",
        ),
    ],
)
def test_other_names_and_types_are_refused_with_the_words_of_a_space(refused, text, end):
    line = refused(text)
    assert line.startswith("x.yaml:1: ")
    assert line.endswith(end)


MOVED = "a setting must be in its section, but got one under"
SWEEP = """\
program: train.py
method: bayes
metric: {name: dev_mcc, goal: maximize}
parameters:
  optimizer: {value: adamw}
  learning_rate:
    distribution: log_uniform_values
    min: 1e-4
    max: 1e-2
"""
HYDRA = """\
defaults: [{override hydra/sweeper: optuna}]
hydra:
  sweeper:
    params:
      adapter.p: range(0.0, 0.3)
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SWEEP, f"x.yaml:6: learning_rate: {MOVED} parameters; write training: {{{LOG}}}"),
        (HYDRA, f"x.yaml:5: adapter.p: {MOVED} hydra.sweeper.params; write adapter: {{{RANGE}}}"),
        ("param_space: {b0: 8}", f"x.yaml:1: b0: {MOVED} param_space; write adapter: {{b0: 8}}"),
        (
            "parameters: {x: 1}",
            "x.yaml:1: parameters: must be a known key, but got 'parameters'; known keys: ",
        ),
    ],
)
def test_a_file_of_another_tool_is_refused_with_its_first_parameter_as_written_here(
    refused, text, message
):
    assert refused(text).startswith(message)


def test_every_error_of_one_domain_counts_once(refused):
    line = refused("adapter:\n  method: adalora_rs\n  p: {values: [0, 1], a: 1, b: 2}\n")
    assert "more)" not in line
    line = refused("training:\n  lr: [1, 2]\n  head_lr: [1, 2]\n")
    assert line.endswith(" (and 1 more)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training:\n  lr: 1e-3\n\u00a0 steps: 20\n  reports: 2\n",
            "x.yaml:3: must have ordinary spaces, but got U+00A0",
        ),
        ('task: {path: "C:\\Users\\me"}\n', "write text with backslashes in single quotes"),
        (
            "training: {lr: 1e-3}  # f\xfcr\n".encode("latin-1"),
            "x.yaml:1: must be UTF-8 text, but got byte 0xfc; save it as UTF-8",
        ),
    ],
)
def test_text_that_looks_right_but_is_not_yaml_says_what_is_odd(refused, text, message):
    assert message in refused(text)


def test_plain_yaml_in_other_clothes_is_read(read):
    for text in (
        "---\ntraining: {steps: 200}\n...\n",
        "training: {steps: 200}\r\nsearch: {trials: 3}\r\n",
        '{"training": {"steps": 200, "reports": 2}}\n',
        "training: {steps: 2_00}\n",
    ):
        assert read(text).training.steps == 200


def test_long_domains_are_cut_in_messages(refused):
    many = ", ".join(map(str, range(1, 3000)))
    assert len(refused(f"training: {{lr: [{many}]}}")) < 600


def test_the_written_line_is_yaml():
    for value in ({"a": [None, True, "yes", "a: b", "it's", 1e-5, -3]}, {"b": "null", "c": "1"}):
        assert YAML(typ="safe", pure=True).load(flow(value)) == value
