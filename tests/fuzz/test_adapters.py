"""Damaged files of adapters, and PEFT's folders: loaded, or refused with the model unchanged."""

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jaxtyping
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from adapters import (
    RankAllocator,
    inject,
    load_adapters,
    load_peft,
    save_adapters,
    save_peft_adalora,
    save_peft_lora,
)
from adapters.budget import CubicBudget
from tests.fuzz.mutations import damaged_bytes, damaged_value, time_limit

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.usefixtures("without_type_checks"),
    # Patterns from damaged configs may be odd, but valid, regular expressions.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CASES = 1_000
"""Of each kind of file."""
SECONDS = 30
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def without_type_checks():
    """Switches the checks of annotations off: a user has none."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def base() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4), nn.Linear(4, 2))


def adapted() -> tuple[nn.Module, RankAllocator]:
    model = base()
    layers = inject(model, ["0", "1"], 3, alpha=6, generator=torch.Generator().manual_seed(1))
    for layer in layers.values():
        layer.lam.data = torch.tensor([0.5, -1.0, 2.0])
    budget = CubicBudget(9, 3, 1, 2, deltaT=4)
    return model, RankAllocator(layers, budget, beta1=0.8, beta2=0.8, p=0.1, mask_seed=0)


def damage_peft(folder: Path, sound: dict[str, bytes], rng: random.Random) -> None:
    """Writes a folder whose config or weights are damaged."""
    for name, data in sound.items():
        (folder / name).write_bytes(data)
    match rng.randrange(4):
        case 0:
            (folder / CONFIG).write_bytes(damaged_bytes(sound[CONFIG], rng))
        case 1:
            (folder / WEIGHTS).write_bytes(damaged_bytes(sound[WEIGHTS], rng))
        case _:
            config = json.loads(sound[CONFIG])
            for _ in range(rng.randint(1, 3)):
                config = damaged_value(config, rng)
            (folder / CONFIG).write_text(json.dumps(config))


def damage_file(file: Path, sound: bytes, rng: random.Random) -> None:
    """Writes a file of adapters whose bytes or metadata are damaged."""
    file.write_bytes(sound)
    if rng.randrange(2):
        file.write_bytes(damaged_bytes(sound, rng))
        return
    length = int.from_bytes(sound[:8], "little")
    tensors, metadata = load_file(file), json.loads(sound[8 : 8 + length])["__metadata__"]
    key = rng.choice(list(metadata))
    metadata[key] = json.dumps(damaged_value(json.loads(metadata[key]), rng))
    save_file(tensors, file, metadata)


def outcome(load: Callable[[nn.Module], object], model: nn.Module, case: object) -> str:
    """Loads into a model; a refusal must leave it as it was, and what is loaded must be finite."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        with time_limit(SECONDS, case):
            load(model)
        error = ""
    except ValueError as raised:
        error = str(raised)
    after = model.state_dict()
    if not error:
        assert all(tensor.isfinite().all() for tensor in after.values()), case
        return "loaded"
    assert " must " in error, f"{case}: {error}"
    assert ", but got " in error, f"{case}: {error}"
    assert before.keys() == after.keys(), case
    assert all(torch.equal(before[name], after[name]) for name in before), case
    return "refused"


@pytest.mark.parametrize("save", [save_peft_lora, save_peft_adalora])
def test_damaged_folders_of_peft_are_loaded_or_refused(save, tmp_path: Path) -> None:
    model, _ = adapted()
    save(model, tmp_path, head=["2"])
    sound = {name: (tmp_path / name).read_bytes() for name in (CONFIG, WEIGHTS)}
    counts: Counter[str] = Counter()
    for seed in range(CASES):
        damage_peft(tmp_path, sound, random.Random(seed))
        counts[outcome(partial(load_peft, folder=tmp_path), base(), seed)] += 1
    print(save.__name__, dict(counts))  # noqa: T201
    assert counts["refused"] > CASES / 4


def test_damaged_files_of_adapters_are_loaded_or_refused(tmp_path: Path) -> None:
    model, allocator = adapted()
    file = tmp_path / "adapters.safetensors"
    save_adapters(model, file, {"task": '"x"'}, allocator=allocator)
    sound, counts = file.read_bytes(), Counter[str]()
    for seed in range(CASES):
        damage_file(file, sound, random.Random(seed))
        target, own = adapted()
        load = partial(load_adapters, path=file, allocator=own)
        counts[outcome(load, target, seed)] += 1
    print("adapters", dict(counts))  # noqa: T201
    assert counts["refused"] > CASES / 4
