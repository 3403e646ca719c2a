"""Arguments that PEFT does not take are refused in one line, before anything runs."""

from typing import Any

import pytest

from study.errors import InputError
from study.training.forecast import forecast
from study.training.peft.check import check_peft
from tests.error_texts import PATTERN
from tests.study.training.peft.peft_trials import peft_spec
from tests.study.training.tiny_trials import tiny_backbone

BY_NAME = [
    ({"peft_type": "LORRA"}, "adapter.peft_type: must be a type of PEFT, but got LORRA; did you "),
    ({"peft_type": "PROMPT_TUNING"}, "but got PROMPT_TUNING: it puts trained vectors before the"),
    ({"peft_type": "POLY"}, "but got POLY: it needs the number of a task with every sequence"),
    (
        {"peft_type": "LORA", "lora_alhpa": 8},
        "adapter.lora_alhpa: must be an argument of PEFT's LoraConfig, but got 'lora_alhpa'; did "
        "you mean `lora_alpha`?",
    ),
    ({"peft_type": "IA3", "zzz": 8}, "but got 'zzz'; PEFT has target_modules, exclude_modules, "),
    (
        {"peft_type": "ADALORA", "total_step": 8},
        "adapter.total_step: must be left to the study, but got 8; remove it: it is the number",
    ),
    ({"peft_type": "LORA", "r": "eight"}, "adapter.r: must be a whole number as in PEFT, but got"),
    ({"peft_type": "LORA", "use_dora": "maybe"}, "adapter.use_dora: must be true or false as in"),
    ({"peft_type": "LORA", "bias": "al"}, "must be none or all or lora_only as in PEFT, but got"),
    (
        {"peft_type": "LORA", "init_lora_weights": "corda"},
        "adapter.init_lora_weights: must be possible from the backbone and the training batches",
    ),
    (
        {"peft_type": "LORA", "init_lora_weights": "eva", "eva_config": {"rhoo": 2}},
        "adapter.eva_config.rhoo: must be an argument of PEFT's EvaConfig, but got 'rhoo'; did",
    ),
    (
        {"peft_type": "LORA", "r": {"type": "categorical", "choices": [4, "x", 8]}},
        "adapter.r: must be a whole number as in PEFT, but got 'x'",
    ),
    (
        {"peft_type": "BOFT", "boft_block_size": 4, "boft_block_num": 4},
        "adapter: must be arguments that PEFT's BOFTConfig takes, but got: ",
    ),
]
BY_LAYERS = [
    ({"peft_type": "LORA", "r": 0}, "must be arguments that PEFT's LORA takes, but got: `r` shou"),
    ({"peft_type": "LORA", "r": {"type": "int", "low": 0, "high": 4}}, "but got: `r` should be a"),
    (
        {"peft_type": "MISS", "r": 64},
        "but got: `r` (64) must be less than or equal to in_features",
    ),
    (
        {"peft_type": "LORA", "init_lora_weights": "foo"},
        "but got: Unknown initialization init_lora_weights='foo'",
    ),
    ({"peft_type": "LORA", "target_modules": ["nothing"]}, "but got: Target modules"),
    (
        {"peft_type": "LORA", "target_modules": ["score", "fc1"]},
        "adapter.target_modules: must leave out the head, which trains as it is, but got score",
    ),
    (
        {"peft_type": "ADALORA", "target_r": 8, "init_r": 8},
        "adapter.target_r: target_r < init_r must hold, but got target_r=8, init_r=8",
    ),
    (
        {"peft_type": "ADALORA", "tfinal": 12},
        "The supplied schedule values don't allow for a budgeting phase",
    ),
]


@pytest.mark.parametrize(("adapter", "message"), BY_NAME)
def test_a_name_or_value_that_peft_does_not_have_is_refused(
    adapter: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        check_peft(peft_spec(adapter))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert PATTERN.fullmatch(str(error.value))


@pytest.mark.parametrize(("adapter", "message"), BY_LAYERS)
def test_a_value_that_does_not_fit_the_backbone_or_the_steps_is_refused(
    adapter: dict[str, Any], message: str
) -> None:
    spec = peft_spec(adapter)
    check_peft(spec)
    with pytest.raises(InputError) as error:
        forecast(spec, 22, tiny_backbone(device="meta"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert PATTERN.fullmatch(str(error.value))


def test_arguments_of_peft_with_values_of_its_types_pass() -> None:
    check_peft(
        peft_spec(
            {
                "peft_type": "LORA",
                "r": {"type": "int", "low": 2, "high": 8},
                "lora_alpha": {"type": "float", "low": 1.0, "high": 8.0, "log": True},
                "use_dora": {"type": "categorical", "choices": [True, False]},
                "rank_pattern": {"fc1": 4},
                "layers_to_transform": [0, 1],
                "eva_config": {"rho": 1.5},
            }
        )
    )
