"""The spaces for GPUs: comments at every key, and dry runs with a local hub."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from study.engine.resources import resources
from study.models.presets import PRESETS
from study.spec import load_spec
from study.spec.loading import shipped_folder
from tests.hub_server import hub_of

SPACES = {
    "opt_125m_promoters": ("opt", False),
    "dnabert_2_promoters": ("mosaicbert", True),
    "nt_500m_emp": ("esm", False),
}
DATA = {"prom/all": "GUE/prom_300_all", "emp/H3": "GUE/emp_H3"}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("cards", [1, 4, 8])
def test_trials_share_the_gpus_of_a_node(name: str, cards: int) -> None:
    spec = load_spec(name)
    share = resources(spec, [{"CPU": 8.0 * cards, "GPU": float(cards)}])
    assert share.concurrent == cards * {"nt_500m_emp": 2}.get(name, 4)


@pytest.mark.parametrize("name", SPACES)
def test_every_key_is_explained(name: str) -> None:
    """By a comment in its line, or in the line before."""
    lines = (shipped_folder() / f"{name}.yaml").read_text().splitlines()
    for place, line in enumerate(lines):
        key = re.match(r"  (\w+):", line)
        before = lines[place - 1].strip()
        paired = key is not None and key[1] in ("bT", "beta2", "lr", "seed")
        if key and not paired:
            assert "#" in line or before.startswith("#") or key[1] in ("name", "method"), line


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, marks=[] if name == "dnabert_2_promoters" else pytest.mark.slow)
        for name, (family, _) in SPACES.items()
    ],
)
def test_a_space_for_gpus_is_planned(
    name: str,
    family: str,
    checkpoint: Callable[..., Path],
    random_dna: Callable[..., list[str]],
    tmp_path: Path,
) -> None:
    spec = load_spec(name)
    gue = tmp_path / "GUE-data"
    part = gue / DATA[str(spec.task.name)]
    part.mkdir(parents=True)
    for place, (split, rows) in enumerate({"train": 3200, "dev": 40, "test": 40}.items()):
        lines = [f"{s},{i % 2}" for i, s in enumerate(random_dna(rows, 40, seed=place))]
        (part / f"{split}.csv").write_text("\n".join(["sequence,label", *lines]))
    hub_id = PRESETS[spec.backbone.name].hub_id
    model = checkpoint(family, hub=SPACES[name][1])
    with hub_of({hub_id: model}, {"leannmlindsey/GUE": gue}) as (address, _):
        settings = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
        settings |= {"HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        command = [sys.executable, "-m", "study.run", "--space", name, "--dry-run"]
        # With so few rows the warm-up of the space would be half of the training.
        command += ["--set", "adapter.warmup_steps=10"]
        run = subprocess.run(
            command, env=os.environ | settings, capture_output=True, text=True, check=False
        )
    assert run.returncode == 0, run.stderr
    assert f"backbone   {spec.backbone.name}: {family}" in run.stdout
    assert "64 trials by tpe" in run.stdout
    assert "ASHA rungs" in run.stdout
    assert f"{spec.resources.gpus_per_trial:g} GPU a trial" in run.stdout
