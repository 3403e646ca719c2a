"""Method peft: PEFT's arguments as leaves of the adapter section."""

from pathlib import Path
from typing import Any

import pytest

from study.errors import InputError
from study.spec import (
    CategoricalDomain,
    IntDomain,
    PeftSpec,
    StudySpec,
    dump_spec,
    load_spec,
    method_label,
    read_spec,
    resolve,
)
from study.spec.comparison.opponents import opponent
from study.spec.space import grid

TEXT = (
    "adapter: {method: peft, peft_type: LORA, matrices: [q, v], use_rslora: true,\n"
    "  r: {type: int, low: 2, high: 8}, lora_alpha: 16, rank_pattern: {fc1: 4}, bias: null}\n"
    "training: {steps: 20, reports: 4}\n"
    "points: [{r: 4}]\n"
)


def written(tmp_path: Path, text: str = TEXT) -> str:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    return str(file)


def test_arguments_of_peft_are_leaves_fixed_or_searched(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path))
    assert isinstance(spec.adapter, PeftSpec)
    assert spec.domains == {"r": IntDomain(low=2, high=8)}
    assert spec.point_params == [{"r": 4}]
    assert read_spec(dump_spec(spec), "x") == spec
    resolved = resolve(spec, {"r": 3})
    assert isinstance(resolved.adapter, PeftSpec)
    assert resolved.adapter.arguments == {
        "use_rslora": True,
        "r": 3,
        "lora_alpha": 16,
        "rank_pattern": {"fc1": 4},
    }
    assert read_spec(dump_spec(resolved), "x") == resolved


def test_switches_and_choices_of_peft_are_searched_too(tmp_path: Path) -> None:
    spec = load_spec(
        written(tmp_path), ["adapter.use_dora={type: categorical, choices: [true, false]}"]
    )
    domain = CategoricalDomain(choices=(True, False))
    assert spec.domains["use_dora"] == domain
    assert grid(spec)["use_dora"] == [True, False]
    assert method_label(spec.adapter) == "peft LORA use_rslora"
    values = resolve(spec, {"r": 3, "use_dora": True})
    assert method_label(values.adapter) == "peft LORA use_rslora use_dora"


@pytest.mark.parametrize(
    ("adapter", "label"),
    [
        ({"peft_type": "IA3"}, "peft IA3"),
        ({"peft_type": "LORA", "r": 4, "use_dora": True}, "peft LORA use_dora"),
        ({"peft_type": "LORA", "use_dora": False}, "peft LORA"),
        ({"peft_type": "LORA", "init_lora_weights": "pissa"}, "peft LORA init_lora_weights=pissa"),
    ],
)
def test_a_label_has_the_type_its_switches_and_names(adapter: dict[str, Any], label: str) -> None:
    spec = StudySpec.model_validate({"adapter": {"method": "peft", **adapter}})
    assert method_label(spec.adapter) == label


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("{method: peft}", "adapter.peft_type: must be given, but got nothing"),
        ("{method: peft, peft_type: lora}", "in capitals, but got 'lora'; write LORA"),
        ("{method: peft, peft_type: IA3, r: .inf}", "adapter.r: must be finite, but got inf"),
        (
            "{method: peft, peft_type: IA3, matrices: [q], target_modules: [fc1]}",
            "adapter.matrices: must not be given with target_modules, but got both",
        ),
        (
            "{method: peft, peft_type: LN_TUNING, matrices: [q]}",
            "adapter.matrices: must not be given with LN_TUNING, but got both",
        ),
        (
            "{method: peft, peft_type: LORA, r: {type: intt, low: 2, high: 8}}",
            "must be one of float, int, categorical, but got 'intt'; did you mean `int`?",
        ),
        (
            "{method: peft, peft_type: LORA, r: {type: float, low: .2, high: 1, ratio_of: b0}}",
            "must be left out, as only bT can be a ratio, but got b0; remove it",
        ),
    ],
)
def test_what_is_wrong_without_knowing_peft_is_refused_when_it_is_read(
    adapter: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        load_spec(written(tmp_path, f"adapter: {adapter}\n"))
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/x.yaml:1: adapter.")


def test_the_same_method_again_keeps_the_arguments_of_the_file(tmp_path: Path) -> None:
    notes: list[str] = []
    spec = load_spec(written(tmp_path), ["adapter.method=peft", "adapter.r=2"], notes.append)
    assert isinstance(spec.adapter, PeftSpec)
    assert spec.adapter.arguments["lora_alpha"] == 16
    lora = load_spec(written(tmp_path), ["adapter.method=lora"], notes.append)
    assert lora.adapter.method == "lora"
    assert "adapter.lora_alpha" in notes[-1]


def test_target_modules_stand_for_matrices(tmp_path: Path) -> None:
    text = "adapter: {method: peft, peft_type: IA3, target_modules: [fc1]}\n"
    spec = load_spec(written(tmp_path, text))
    assert "matrices" not in dump_spec(spec)
    assert read_spec(dump_spec(spec), "x") == spec


def test_an_opponent_of_peft_has_the_ranks_of_the_first_configuration() -> None:
    overrides = ["adapter.p=0.1", "adapter.b0=10", "adapter.bT=4", "adapter.deltaT=0.1"]
    overrides += ["adapter.beta1=0.7", "adapter.beta2=0.8", "training.lr=6e-3"]
    first = load_spec("adalora_rs", overrides)
    dora = opponent("dora", first)
    assert isinstance(dora.spec.adapter, PeftSpec)
    assert dora.spec.adapter.arguments == {"use_dora": True, "r": 10, "lora_alpha": 32}
    assert "r 10 is b0 of the first configuration" in dora.notes
    back = opponent("lora", dora.spec)
    assert back.spec.adapter.rank == 10  # type: ignore[union-attr]
