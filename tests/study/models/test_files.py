"""Models of the hub, loaded with its client from a local server.

The client reads its settings when it is imported: each test starts a process.
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

pytestmark = pytest.mark.process

LOAD = """
import json, os, sys
from study.errors import InputError
from study.models import inspect_backbone, load_backbone
results, seed = [], int(os.environ["SEED"]) if "SEED" in os.environ else None
for name, _, revision in (argument.partition("@") for argument in sys.argv[1:]):
    try:
        info = inspect_backbone(name, revision or None)
        backbone = load_backbone(info, num_labels=2, dtype="float32", random_seed=seed)
        total = sum(float(p.double().sum()) for n, p in backbone.model.named_parameters()
                    if "classifier" not in n and "score" not in n and "pooler" not in n)
        results.append({"name": info.name, "source": info.source, "family": info.family,
                        "dtype": str(next(backbone.model.parameters()).dtype), "total": total,
                        "ids": backbone.tokenizer(["ACGTACGTACGT"])[0]})
    except InputError as error:
        results.append({"error": str(error)})
print(json.dumps(results))
"""
Load = Callable[..., list[dict[str, Any]]]
OPT, DNABERT_2 = "facebook/opt-125m", "zhihan1996/DNABERT-2-117M"
NT_V2 = "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """(address of the hub, *names or name@revision, **environment) -> the result of each."""

    def run(endpoint: str, *names: str, **environment: str) -> list[dict[str, Any]]:
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), **environment}
        settings |= {"HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *names],
            env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results

    return run


def test_a_preset_is_downloaded_once_and_then_read_from_the_cache(
    checkpoint: Callable[..., Path], load: Load
) -> None:
    folder = checkpoint("mosaicbert", hub=True)
    with hub_of({DNABERT_2: folder}) as (address, requested):
        (first, second, *_) = results = load(
            address, "dnabert-2", "dnabert-2", DNABERT_2, str(folder)
        )
        assert (first["name"], first["source"]) == ("dnabert-2", DNABERT_2)
        assert (first["family"], first["dtype"]) == ("mosaicbert", "torch.float32")
        assert second == first
        assert {(r["total"], *r["ids"]) for r in results} == {(first["total"], *first["ids"])}
        assert any(path.endswith("/pytorch_model.bin") for path in requested)
        requested.clear()
        assert load(address, "dnabert-2") == [first]
        assert requested == []


@pytest.mark.slow
def test_presets_revisions_and_refusals_of_the_hub(
    checkpoint: Callable[..., Path], load: Load
) -> None:
    served = {OPT: checkpoint("opt"), DNABERT_2: checkpoint("bert")}
    served[NT_V2] = checkpoint("gated_esm", hub=True)
    names = [
        f"opt-125m@{COMMIT}", "nt-v2-50m-multi-species", "opt-125m@v9", "facebook/opt-126m",
        "dnabert-2",
    ]  # fmt: skip
    with hub_of(served) as (address, requested):
        opt, nt, revision, unknown, other_family = load(address, *names)
    assert (opt["family"], nt["family"]) == ("opt", "gated_esm")
    assert f"{OPT}/resolve/main/config.json" not in requested
    assert f"{OPT}/resolve/{COMMIT}/config.json" in requested
    assert "no such revision" in revision["error"]
    assert "no such model" in unknown["error"]
    assert f"{DNABERT_2} must be a mosaicbert model, but got bert" in other_family["error"]


@pytest.mark.slow
def test_random_weights_request_only_config_and_tokenizer(
    checkpoint: Callable[..., Path], load: Load
) -> None:
    with hub_of({OPT: checkpoint("opt")}) as (address, requested):
        (drawn,) = load(address, "opt-125m", SEED="0")
        assert any(path.endswith("/config.json") for path in requested)
        assert not [path for path in requested if path.endswith((".safetensors", ".bin"))]
    assert drawn["family"] == "opt"


@pytest.mark.slow
def test_without_hub_and_cache_the_error_names_both_remedies(load: Load) -> None:
    [answer] = load("http://127.0.0.1:9", "opt-125m")
    assert f"{OPT} must be on the Hugging Face hub or in its cache" in answer["error"]
    assert f"hf download {OPT}" in answer["error"]
    assert "give a local folder" in answer["error"]
