"""Valid YAML with invalid settings: every error has place, key, rule, value and fix."""

import jsonschema
import pytest

from study.spec import dump_spec, json_schema, resolve


def adapter(*lines: str) -> str:
    return "\n".join(["adapter:", "  method: adalora_rs", *(f"  {line}" for line in lines)])


RATIO = "search bT as {type: float, low: .25, high: 1, ratio_of: b0}"
SAMPLERS = "tpe, gp, cmaes, random, qmc, nsgaii, grid"
METHODS = "adalora_rs, adalora, lora, fmft, linear_probe, peft"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # keys
        (
            adapter("b_0: 3"),
            "x.yaml:3: adapter.b_0: must be a known key, but got 'b_0'; did you mean `b0`?",
        ),
        (
            "adaptor: {}",
            "x.yaml:1: adaptor: must be a known key, but got 'adaptor'; did you mean `adapter`?",
        ),
        (
            "adapter: {method: fmft, rank: 3}",
            "adapter.rank: must be a known key, but got 'rank'; remove it, as rank is only a",
        ),
        ("adapter: {method: adalora, p: 0.1}", "x.yaml:1: adapter.p: must be a known key"),
        (
            adapter("b0: {type: int, low: 6, hgh: 9}"),
            "adapter.b0.hgh: must be a known key, but got 'hgh'; did you",
        ),
        # types
        ("training: 3", "training: must be a mapping of keys to values, but got 3"),
        ("adapter: lora", "adapter: must be a mapping of keys to values, but got 'lora'"),
        (adapter("b0: abc"), "x.yaml:3: adapter.b0: must be a whole number, but got 'abc'"),
        (adapter("b0: 3.5"), "adapter.b0: must be a whole number, but got 3.5"),
        (adapter("b0: true"), "adapter.b0: must be a whole number, but got True"),
        (adapter("p: '0.1'"), "adapter.p: must be a number, but got '0.1'"),
        (adapter("alpha: {}"), "adapter.alpha.type: must be one of float, int, categorical"),
        (adapter("b0:"), "adapter.b0: must be a whole number, but got nothing"),
        ("training: {group_by_length: yes}", "must be true or false, but got 'yes'"),
        ("task: {path: 3}", "task.path: must be text, but got 3"),
        ("backbone: {name: ''}", "backbone.name: must not be empty"),
        # domains
        (
            adapter("b0: {type: int, low: 16, high: 4}"),
            "x.yaml:3: adapter.b0: low <= high must hold, but got low=16, high=4",
        ),
        (adapter("b0: {type: int, low: 6}"), "adapter.b0.high: must be given"),
        (adapter("b0: {low: 6, hihg: 9}"), "adapter.b0.type: must be one of float, int, categ"),
        (adapter("b0: {type: integer}"), "but got 'integer'; did you mean `int`?"),
        (adapter("b0: {type: [int]}"), "adapter.b0.type: must be one of float, int, categorical"),
        (
            adapter("b0: {type: float, low: 4, high: 8}"),
            "adapter.b0.type: must be int, as the values are whole numbers",
        ),
        (
            adapter("gamma: {type: float, low: 0, high: 1, log: true}"),
            "adapter.gamma.low: low > 0 must hold for log: true, but got low=0.0",
        ),
        (
            adapter("alpha: {type: float, low: 1, high: 4, log: true, step: 1}"),
            "adapter.alpha.step: must not be given with log: true, but got 1.0; remove",
        ),
        (
            adapter("alpha: {type: float, low: 1, high: 4, step: 0.7}"),
            "step must divide high - low, but got low=1.0, high=4.0, step=0.7; set high=3.8",
        ),
        (adapter("b0: {type: int, low: 6, high: 9, step: 2}"), "set high=8"),
        (adapter("b0: {type: int, low: 6, high: 9, step: 0}"), "step > 0 must hold"),
        (
            adapter("alpha: {type: float, low: 1, high: 1e300, step: 1e-300}"),
            "must divide high - low into at most 1,000,000,000 steps, but got step=1e-300; raise",
        ),
        (adapter("alpha: {type: float, low: 1, high: .inf}"), "alpha.high: must be finite"),
        (
            adapter("p: {type: categorical, choices: []}"),
            "p.choices: must have at least one choice",
        ),
        (
            adapter("p: {type: categorical, choices: 0.1}"),
            "p.choices: must be a list, but got 0.1",
        ),
        (adapter("p: {type: categorical, choices: [0.1, 0.1]}"), "but got 0.1 twice"),
        (adapter("p: {type: categorical, choices: [[1]]}"), "must be a plain value, but got [1]"),
        (adapter("p: {type: float, low: 0, high: 1, role: main}"), "must be nuisance, but got 'm"),
        (
            "search: {trials: {type: int, low: 1, high: 3}}",
            "search.trials: must be a whole number, but got a mapping; this cannot be searched",
        ),
        ("training: {epochs: {type: int, low: 1, high: 3}}", "this cannot be searched"),
        # half precision
        (
            "backbone: {dtype: bfloat16}\ntraining: {precision: fp16}",
            "x.yaml:2: training.precision: must be fp32 or fit backbone.dtype bfloat16, but got "
            "fp16; change one of the two",
        ),
        (
            "backbone: {dtype: float16}\ntraining: {precision: bf16}",
            "backbone.dtype float16, but got bf16",
        ),
        # the budget
        (
            adapter("b0: 4", "bT: 6"),
            f"x.yaml:4: adapter.bT: bT <= b0 must hold, but got bT=6, b0=4; lower bT, or {RATIO}",
        ),
        (
            adapter("b0: {type: int, low: 4, high: 12}", "bT: 6"),
            f"adapter.bT: bT <= b0 must hold in the whole space, but got bT=6 with b0=4; {RATIO}",
        ),
        (adapter("bT: {type: int, low: 6, high: 13}"), "but got bT=13 with b0=12"),
        (
            adapter("b0: {type: int, low: 6, high: 9}", "bT: {type: int, low: 2, high: 7}"),
            f"but got bT=7 with b0=6; {RATIO}",
        ),
        (
            adapter("bT: {type: float, low: 0.5, high: 2, ratio_of: b0}"),
            "0 < low <= high <= 1 must hold for ratio_of, but got low=0.5, high=2.0",
        ),
        (adapter("bT: {type: float, low: 0.1, high: 1, ratio_of: b1}"), "ratio_of: must be b0"),
        (
            adapter("alpha: {type: float, low: 0.1, high: 1, ratio_of: b0}"),
            "only bT can be a ratio",
        ),
        (adapter("b0: 0"), "adapter.b0: b0 >= 1 must hold, but got b0=0"),
        # rates
        (adapter("p: 1.5"), "x.yaml:3: adapter.p: p <= 1 must hold, but got p=1.5"),
        (adapter("p: -0.1"), "adapter.p: p >= 0 must hold, but got p=-0.1"),
        (adapter("p_reintroduce: 2"), "p_reintroduce <= 1 must hold, but got p_reintroduce=2"),
        (adapter("p: .nan"), "adapter.p: must be finite, but got nan"),
        (adapter("p: .inf"), "adapter.p: must be finite, but got inf"),
        (
            adapter("p:", "  type: float", "  low: 0", "  high: 1.5"),
            "x.yaml:6: adapter.p.high: p <= 1 must hold, but got high=1.5",
        ),
        (adapter("p: {type: categorical, choices: [0, -1]}"), "p >= 0 must hold, but got choices"),
        (adapter("beta1: 1"), "adapter.beta1: beta1 < 1 must hold, but got beta1=1"),
        (adapter("beta2: 1.0"), "adapter.beta2: beta2 < 1 must hold, but got beta2=1.0"),
        (adapter("beta2: {type: float, low: 0.5, high: 1}"), "beta2 < 1 must hold, but got high="),
        # mask events
        (adapter("deltaT: 0"), "deltaT: must be a whole number of steps >= 1 or a fraction of T"),
        (adapter("deltaT: 1.0"), "a fraction of T in (0, 1), but got 1.0"),
        (adapter("deltaT: 2.5"), "a fraction of T in (0, 1), but got 2.5"),
        (adapter("deltaT: true"), "but got True"),
        (
            adapter("deltaT: {type: float, low: 0.5, high: 10}"),
            "adapter.deltaT.high: must be a wh",
        ),
        (adapter("deltaT: {type: int, low: 0, high: 10}"), "adapter.deltaT.low: must be a whole"),
        (
            adapter("deltaT: 100") + "\ntraining: {steps: 40}",
            "x.yaml:3: adapter.deltaT: deltaT < T must hold for a mask event before T, "
            "but got deltaT=100, T=30; lower it or train longer",
        ),
        (
            adapter("deltaT: {type: int, low: 5, high: 30}") + "\ntraining: {steps: 40}",
            "but got deltaT=30, T=30",
        ),
        (adapter("final_fraction: -0.1"), "final_fraction >= 0 must hold"),
        (adapter("final_fraction: 1"), "final_fraction < 1 must hold"),
        (adapter("prune_mode: zer"), "must be one of zero, mask, but got 'zer'; did you mean `ze"),
        (
            adapter("prune_mode: {type: categorical, choices: [zero, no]}"),
            "zero, mask, but got 'no",
        ),
        # methods and matrices
        (
            "adapter: {method: lorra}",
            f"must be one of {METHODS}, but got 'lorra'; did you mean `l",
        ),
        ("adapter: {b0: 3}", f"adapter.method: must be one of {METHODS}, but got nothing"),
        ("adapter: {method: 3}", f"must be one of {METHODS}, but got 3"),
        (
            "adapter: {method: lora, matrices: [q, w]}",
            "must be one of q, k, v, o, f1, f2, gate, but got",
        ),
        ("adapter: {method: lora, matrices: [q, q]}", "matrices must differ, but got q, q"),
        ("adapter: {method: lora, matrices: []}", "must have at least one matrix, but got none"),
        ("adapter: {method: lora, matrices: q}", "adapter.matrices: must be a list, but got 'q'"),
        # training
        ("training: {lr: 0}", "training.lr: lr > 0 must hold, but got lr=0"),
        ("training: {lr: -1e-4}", "training.lr: lr > 0 must hold, but got lr=-0.0001"),
        ("training: {lr: {type: float, low: 0, high: 1}}", "lr > 0 must hold, but got low=0.0"),
        ("training: {batch_size: 0}", "training.batch_size: batch_size >= 1 must hold"),
        ("training: {steps: -5}", "training.steps: steps >= 1 must hold, but got steps=-5"),
        ("training: {steps: 99999999999}", "steps <= 1000000000 must hold"),
        (
            "training: {epochs: 3, steps: 40}",
            "training.steps: must not be given with epochs, but got both",
        ),
        (
            "training: {steps: 8}",
            "training.reports: reports <= steps must hold, but got reports=10, steps=8",
        ),
        ("training: {precision: fp8}", "must be one of fp32, bf16, fp16, but got 'fp8'"),
        # task
        (
            "task: {name: promoters, path: x}",
            "task.path: must be left out with the name promoters",
        ),
        ("task: {name: promoter}", "must be a known task, but got 'promoter'; did you mean `prom"),
        (
            "task:\n  name: emp/h3k4me1",
            "x.yaml:2: task.name: must be a known task, but got 'emp/h3k4me1'; did you mean `emp",
        ),
        ("task: {name: prom_300_tata}", "did you mean `prom/tata`?"),
        ("task: {name: x}", "got 'x'; known: promoters, emp/MARK and nt/MARK for H3, H3K14ac, "),
        ("task: {name: 3}", "task.name: must be text, but got 3"),
        (
            "task: {revision: v1}",
            "task.revision: must be left out for a task that is not from the hub",
        ),
        (
            "task: {path: x, revision: v1}",
            "task.revision: must be left out for a task that is not from the hub",
        ),
        (
            "task: {name: emp/H3, path: x, revision: v1}",
            "x.yaml:1: task.revision: must be left out for a task that is not from the hub, "
            "but got 'v1'; remove it",
        ),
        ("task: {train: 0}", "task.train: train >= 1 must hold, but got train=0"),
        (
            "training: {class_weights: [1, 0]}",
            "training.class_weights: must be none, balanced or a list with a weight from 1e-6 to "
            "1e6 for each class, but got [1, 0]",
        ),
        ("training: {class_weights: [1]}", "for each class, but got [1]"),
        ("training: {class_weights: [1, .nan]}", "for each class, but got [1, nan]"),
        ("training: {class_weights: {type: float, low: 1, high: 2}}", "must be none, balanced or"),
        ("training: {class_weight: balanced}", "write class_weights: balanced"),
        # search
        ("search: {trials: 0}", "search.trials: trials >= 1 must hold, but got trials=0"),
        (
            "search: {metric: mc}",
            "brier, ece, but got 'mc'; did you mean `mcc`?",
        ),
        ("search: {sampler: tpe}", "search.sampler: must be a mapping of keys to values, but got"),
        (
            "search: {sampler: {name: tpee}}",
            f"search.sampler.name: must be one of {SAMPLERS}, but got 'tpee'; did you mean `tpe`?",
        ),
        ("search: {sampler: {seed: 3}}", "search.sampler.name: must be one of tpe"),
        (
            "search: {sampler: {name: tpe, n_startup: 3}}",
            "sampler.n_startup: must be a known key, but got 'n_startup'; did you mean `n_star",
        ),
        (
            "search: {sampler: {name: random, multivariate: true}}",
            "sampler.multivariate: must be a known key, but got 'multivariate'; known keys: name",
        ),
        (
            "search: {sampler: {name: tpe, multivariate: false, group: true}}",
            "must be false where multiv",
        ),
        (
            "search: {sampler: {name: cmaes, lr_adapt: true, with_margin: true}}",
            "must be false where with_",
        ),
        (
            "search: {sampler: {name: grid}}\ntraining: {lr: {type: float, low: 1, high: 2}}",
            "x.yaml:2: training.lr: must be categorical or have a step for the grid sampler",
        ),
        (
            "search: {sampler: {name: grid}}\nadapter: {method: lora, rank: {type: int, low: 1, "
            "high: 1000000000}}",
            "must be categorical or have a step for the grid sampler, but got too many values; "
            "write for example rank: {type: categorical, choices: [1, 500000000, 1000000000]}",
        ),
        # the rest
        ("scheduler: {name: none, audit: 0.1}", "must be 0 or left out with scheduler.name none"),
        ("scheduler: {audit: 1.5}", "scheduler.audit: audit <= 1 must hold, but got"),
        ("scheduler: {name: hyperband}", "must be one of asha, none, but got 'hyperband'"),
        ("scheduler: {reduction_factor: 1}", "reduction_factor > 1 must hold"),
        ("scheduler: {grace_fraction: 0}", "grace_fraction > 0 must hold"),
        ("scheduler: {grace_fraction: 1.5}", "grace_fraction <= 1 must hold"),
        ("seeds: {init: -1}", "seeds.init: init >= 0 must hold, but got init=-1"),
        ("seeds: {mask: 4294967296}", "seeds.mask: mask < 4294967296 must hold"),
        ("seeds: {data: 0.5}", "seeds.data: must be a whole number, but got 0.5"),
        ("resources: {gpus_per_trial: 1.5}", "must be whole, or a fraction below 1, but got 1.5"),
        ("resources: {gpus_per_trial: -1}", "gpus_per_trial >= 0 must hold"),
        ("resources: {cpus_per_trial: 0}", "cpus_per_trial >= 1 must hold"),
        ("resources: {max_concurrent: 0}", "max_concurrent >= 1 must hold"),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(refused, text, message):
    line = refused(text)
    assert line.startswith("x.yaml:")
    assert message in line
    assert "and 1 more" not in line
    assert len(line) < 400


def test_of_several_errors_the_first_by_line_is_shown_and_the_others_counted(refused):
    text = "training:\n  batch_size: 0\nseeds:\n  init: -1\nsearch:\n  trials: 0\n"
    expected = "x.yaml:2: training.batch_size: batch_size >= 1 must hold, but got batch_size=0"
    assert refused(text) == f"{expected} (and 2 more)"


def test_warm_up_steps_must_end_before_pruning_does(refused):
    line = refused(adapter("deltaT: 10", "warmup_steps: 90") + "\ntraining: {steps: 120}")
    assert "adapter.warmup_steps: warmup_steps < T must hold" in line
    assert "warmup_steps=90, T=90" in line


@pytest.mark.parametrize(
    "text",
    [
        adapter("p: 0", "beta1: 0", "beta2: 0.999"),
        adapter("p: 1", "p_reintroduce: 0"),
        adapter("b0: 6", "bT: 6"),
        adapter("deltaT: 1"),
        adapter("deltaT: {type: categorical, choices: [50, 0.1]}"),
        adapter("p_reintroduce: {type: categorical, choices: [null, 0.0]}"),
        adapter("prune_mode: {type: categorical, choices: [zero, mask]}"),
        adapter("b0: {type: int, low: 6, high: 6}"),
        "training: {steps: 10, reports: 10}\nadapter: {method: lora}",
        "resources: {gpus_per_trial: 0.25}",
        "resources: {gpus_per_trial: 2}",
        "resources:\nscheduler:\n",
        "scheduler: {name: none}",
        "adapter: {method: linear_probe}",
        "task: {name: emp/H3, revision: v1}",
        "task: {name: nt/promoter_no_tata, path: x, seed: 3}",
    ],
)
def test_the_edges_of_the_rules_are_accepted(read, text):
    read(text)


def test_class_weights_are_a_word_a_list_or_searched_words(read):
    assert read("training: {class_weights: none}").training.class_weights == "none"
    spec = read("training: {class_weights: [1, 2.5, 0.5]}")
    assert spec.training.class_weights == (1.0, 2.5, 0.5)
    assert read(dump_spec(spec)) == spec
    editors = jsonschema.Draft202012Validator(json_schema())
    given = {"training": {"class_weights": [1, 2.5]}}, {"training": {"class_weights": [1]}}
    assert [editors.is_valid(one) for one in given] == [True, False]
    domain = "{type: categorical, choices: [none, balanced]}"
    searched = read(f"training: {{class_weights: {domain}}}")
    assert list(searched.domains) == ["class_weights"]
    resolved = resolve(searched, {"class_weights": "balanced"})
    assert resolved.training.class_weights == "balanced"
