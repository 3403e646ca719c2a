"""The configurations of --lottery: as many parameters, the winner's ranks, other places."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from study.engine.comparison.lottery import lottery_arms, shuffled, uniform
from study.engine.comparison.request import SeedsOptions, read_request
from study.errors import InputError
from study.models import empty_backbone, inspect_backbone
from study.seeds.__main__ import main
from study.spec import LoraSpec, StudySpec, dump_spec, load_spec, resolve
from study.spec.comparison.planning import SeedsPlan
from study.spec.comparison.schema import dump_comparison, load_comparison
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from study.training.methods import count_trained
from tests.study.phases import without_phases

FIXED = ("adapter.p=0.1", "adapter.b0=6", "adapter.bT=3", "training.lr=1e-3")
INFO = inspect_backbone("opt-dna-mini")


def ranks_of(seed: int = 0) -> dict[str, int]:
    """Random ranks from 0 to 6 for the layers of the shipped backbone, in the model's order."""
    generator = np.random.default_rng(seed)
    names = ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj",
             "fc1", "fc2")  # fmt: skip
    return {
        f"model.decoder.layers.{layer}.{name}": int(generator.integers(0, 7))
        for layer in range(INFO.layers)
        for name in names
    }


@pytest.fixture
def study(tmp_path: Path) -> str:
    """The folder of a study whose winner has those ranks."""
    spec = load_spec("smoke", FIXED)
    ledger = StudyLedger(open_folder(tmp_path / "runs" / "mine", dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="mine", spec="spec.yaml"))
    folder = StudyFolder(tmp_path / "runs" / "mine")
    folder.best_spec.write_text(dump_spec(resolve(spec, {})))
    folder.best.mkdir()
    trace = [{"step": 5, "ranks": ranks_of(1)}, {"step": 30, "ranks": ranks_of()}]
    (folder.best / "budget_trace.json").write_text(json.dumps(trace))
    return str(folder.path)


def arms() -> dict[str, StudySpec]:
    winner = load_spec("smoke", FIXED)
    made = lottery_arms(winner, ranks_of(), INFO.sizes, seed=3)
    return {label: arm.spec for label, arm in made.items()}


def pattern(spec: StudySpec) -> dict[str, int]:
    assert isinstance(spec.adapter, LoraSpec)
    return dict(spec.adapter.rank_pattern or ())


def test_all_have_equal_sizes_and_scales_and_the_ranks_that_they_should() -> None:
    made, empty = arms(), empty_backbone(INFO, num_labels=2)
    assert list(made) == ["pattern", "shuffled", "uniform"]
    assert pattern(made["pattern"]) == ranks_of()
    assert pattern(made["shuffled"]) != ranks_of()
    assert Counter(pattern(made["shuffled"]).values()) == Counter(ranks_of().values())
    assert len(set(pattern(made["uniform"]).values())) == 2
    for spec in made.values():
        assert (spec.adapter.rank, spec.adapter.alpha) == (6, 32.0)  # type: ignore[union-attr]
        assert spec.training == load_spec("smoke", FIXED).training
    sizes = [count_trained(spec, empty).adapter for spec in made.values()]
    assert max(sizes) - min(sizes) < 400  # One triplet has 256 to 640 parameters.
    assert arms() == made


def test_the_random_ranks_depend_on_the_seed_and_keep_the_number_of_parameters() -> None:
    ranks = {f"layer {n}": n % 5 for n in range(24)}
    costs = {name: 100 + 300 * (n % 3 == 0) for n, name in enumerate(ranks)}
    size = sum(ranks[name] * costs[name] for name in ranks)
    seen = set()
    for seed in range(5):
        generator = np.random.default_rng(seed)
        own, equal = shuffled(ranks, costs, generator), uniform(costs, size, generator)
        assert sorted(own.values()) == sorted(ranks.values())
        assert sum(own[name] * costs[name] for name in own) == size
        assert 0 <= size - sum(equal[name] * costs[name] for name in equal) < 400
        assert max(equal.values()) - min(equal.values()) == 1
        seen.add(tuple(own.values()))
    assert len(seen) == 5


def test_the_command_compares_them_with_the_winner_on_equal_seeds(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = read_request(SeedsOptions(study=study, lottery=True, seeds=SeedsPlan(pairs=2))).spec
    assert list(spec.configurations) == ["pattern", "shuffled", "uniform", "best"]
    file = tmp_path / "spec.yaml"
    file.write_text(dump_comparison(spec))
    assert load_comparison(file) == spec
    assert spec.lottery == 0
    plan = ("--study", study, "--lottery", "--dry-run", "--storage", str(tmp_path / "runs"))
    assert main(plan) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "runs 108: 27 runs of 4 configurations, each with fresh seeds (mask from 2000" in printed
    )
    total = sum(ranks_of().values())
    assert re.search(rf"pattern: ranks 0 to 6, {total} triplets in \d+ of 24 layers", printed)


def test_what_has_no_pattern_is_refused_in_one_line(
    study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    winner = load_spec("smoke", FIXED)
    for method in ("lora", "fmft"):
        with pytest.raises(InputError, match=f"or adalora, but got method {method}"):
            lottery_arms(load_spec(method), ranks_of(), INFO.sizes, 0)
    with pytest.raises(InputError, match="must have different ranks, but got 3 in every layer"):
        lottery_arms(winner, dict.fromkeys(ranks_of(), 3), INFO.sizes, 0)
    with pytest.raises(InputError, match="must be those of the opt family"):
        lottery_arms(winner, {"a.b": 1, "c": 2}, INFO.sizes, 0)
    (Path(study) / "best" / "budget_trace.json").unlink()
    assert main(["--study", study, "--lottery", "--dry-run"]) == 2
    assert "--lottery: must be the folder of a finished study whose winner" in (
        without_phases(capsys.readouterr().err)
    )
    with pytest.raises(SystemExit):
        main(["--study", study, "--lottery", "--top", "2"])
