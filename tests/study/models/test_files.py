"""Models of the hub through its real client, from a hub of the test's own on loopback.

The client reads its settings when it is imported, so each question is a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import COMMIT, hub_of

# Each question is a process of its own, with imports of seconds.
pytestmark = pytest.mark.process

LOAD = """
import json, os, sys
from study.errors import InputError
from study.models import inspect_backbone, load_backbone
answers, seed = [], int(os.environ["SEED"]) if "SEED" in os.environ else None
for name, _, revision in (wanted.partition("@") for wanted in sys.argv[1:]):
    try:
        info = inspect_backbone(name, revision or None)
        backbone = load_backbone(info, num_labels=2, dtype="float32", random_seed=seed)
        total = sum(float(p.double().sum()) for n, p in backbone.model.named_parameters()
                    if "classifier" not in n and "score" not in n and "pooler" not in n)
        answers.append({"name": info.name, "source": info.source, "family": info.family,
                        "dtype": str(next(backbone.model.parameters()).dtype), "total": total,
                        "ids": backbone.tokenizer(["ACGTACGTACGT"])[0]})
    except InputError as error:
        answers.append({"error": str(error)})
print(json.dumps(answers))
"""
Ask = Callable[..., list[dict[str, Any]]]
OPT, DNABERT_2 = "facebook/opt-125m", "zhihan1996/DNABERT-2-117M"
NT_V2 = "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species"


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """(hub's address, *names or name@revision, **environment) -> what loading each gave."""

    def load(endpoint: str, *wanted: str, **environment: str) -> list[dict[str, Any]]:
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), **environment}
        settings |= {"HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
        run = subprocess.run(
            [sys.executable, "-c", LOAD, *wanted],
            env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        found: list[dict[str, Any]] = json.loads(run.stdout)
        return found

    return load


def test_a_preset_comes_from_the_hub_once_and_then_from_its_cache(
    checkpoint: Callable[..., Path], ask: Ask
) -> None:
    folder = checkpoint("mosaicbert", hub=True)
    with hub_of({DNABERT_2: folder}) as (address, asked):
        (first, again, *_) = found = ask(address, "dnabert-2", "dnabert-2", DNABERT_2, str(folder))
        assert (first["name"], first["source"]) == ("dnabert-2", DNABERT_2)
        assert (first["family"], first["dtype"]) == ("mosaicbert", "torch.float32")
        assert again == first
        assert {(f["total"], *f["ids"]) for f in found} == {(first["total"], *first["ids"])}
        assert any(path.endswith("/pytorch_model.bin") for path in asked)
        asked.clear()
        assert ask(address, "dnabert-2") == [first]
        assert asked == []  # Not a single question: the hub might as well be gone.
    assert ask(address, "dnabert-2", HF_HUB_OFFLINE="1") == [first]


def test_presets_revisions_and_refusals_go_through_the_hubs_client(
    checkpoint: Callable[..., Path], ask: Ask
) -> None:
    served = {OPT: checkpoint("opt"), DNABERT_2: checkpoint("bert")}
    served[NT_V2] = checkpoint("gated_esm", hub=True)
    wanted = [
        f"opt-125m@{COMMIT}", "nt-v2-50m-multi-species", "opt-125m@v9", "facebook/opt-126m",
        "dnabert-2",
    ]  # fmt: skip
    with hub_of(served) as (address, asked):
        opt, nt, revision, unknown, other_family = ask(address, *wanted)
    assert (opt["family"], nt["family"]) == ("opt", "gated_esm")
    assert f"{OPT}/resolve/main/config.json" not in asked
    assert f"{OPT}/resolve/{COMMIT}/config.json" in asked
    assert "no such revision" in revision["error"]
    assert "no such model" in unknown["error"]
    assert f"{DNABERT_2} must be a mosaicbert model, but got bert" in other_family["error"]


def test_random_weights_ask_the_hub_for_config_and_tokenizer_alone(
    checkpoint: Callable[..., Path], ask: Ask
) -> None:
    with hub_of({OPT: checkpoint("opt")}) as (address, asked):
        (drawn,) = ask(address, "opt-125m", SEED="0")
        assert any(path.endswith("/config.json") for path in asked)
        assert not [path for path in asked if path.endswith((".safetensors", ".bin"))]
    assert drawn["family"] == "opt"


def test_without_hub_and_cache_the_error_names_both_ways_out(ask: Ask) -> None:
    [answer] = ask("http://127.0.0.1:9", "opt-125m")
    assert f"{OPT} must be on the Hugging Face hub or in its cache" in answer["error"]
    assert f"hf download {OPT}" in answer["error"]
    assert "give a local folder" in answer["error"]
