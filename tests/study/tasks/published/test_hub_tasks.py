"""Published tasks of the hub through its real client, from a local server.

The client reads its settings when it is imported, so each test starts a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.tasks.published.catalogue import GUE, NT
from tests.hub_server import COMMIT, hub_of
from tests.study.tasks.small_tasks import ROWS, rows, write_csv, write_parquet

# Each test starts a process, whose imports take seconds.
pytestmark = pytest.mark.process

LOAD = """
import json, sys
from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import load_task
results = []
for name, _, revision in (argument.partition("@") for argument in sys.argv[1:]):
    try:
        task = load_task(TaskSpec(name=name, revision=revision or None))
        results.append({"name": task.name, "warnings": task.warnings,
                        "rows": {name: len(split) for name, split in task.splits()},
                        "first": [task.train.sequences[0], task.train.labels[0]]})
    except InputError as error:
        results.append({"error": str(error)})
print(json.dumps(results))
"""
Ask = Callable[..., list[dict[str, Any]]]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """(hub's address, *names or name@revision, **environment) -> what loading each gave."""

    def load(endpoint: str, *names: str, **environment: str) -> list[dict[str, Any]]:
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), **environment}
        settings |= {"HF_HUB_DISABLE_TELEMETRY": "1"}
        run = subprocess.run(
            [sys.executable, "-c", LOAD, *names],
            env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        found: list[dict[str, Any]] = json.loads(run.stdout)
        return found

    return load


@pytest.fixture
def gue(tmp_path: Path) -> Path:
    """A data set with the layout of the hub's GUE."""
    for name in ("emp_H3", "emp_H3K4me1", "prom_300_tata"):
        write_csv(tmp_path / "gue" / "GUE" / name)
    (tmp_path / "gue" / "README.md").write_text("# GUE")
    return tmp_path / "gue"


def test_a_task_comes_from_the_hub_once_and_then_from_its_cache(gue: Path, ask: Ask) -> None:
    with hub_of({}, {GUE: gue}) as (address, asked):
        (first, again) = ask(address, "emp/H3", "emp/H3")
        assert first == again
        assert (first["name"], first["rows"]) == ("emp/H3", ROWS)
        assert tuple(first["first"]) == rows("train")[0]
        assert "train 20 instead of 11971" in first["warnings"][0]
        files = [path for path in asked if "/resolve/" in path]
        assert all(f"{GUE}/resolve/" in path and "/GUE/emp_H3/" in path for path in files)
        asked.clear()
        assert ask(address, "emp/H3") == [first]
        assert asked == []  # No request, so the hub may be unreachable.
    offline = ask(NOWHERE, "emp/H3", "prom/tata", HF_HUB_OFFLINE="1")
    assert offline[0] == first
    assert "no copy in the cache (HF_HUB_OFFLINE is set)" in offline[1]["error"]


@pytest.mark.slow
def test_a_request_to_a_busy_hub_is_repeated(gue: Path, ask: Ask) -> None:
    busy = f"datasets/{GUE}/resolve/main/GUE/emp_H3/dev.csv"
    with hub_of({}, {GUE: gue}, busy_once=[busy]) as (address, asked):
        [answer] = ask(address, "emp/H3")
    assert answer["rows"] == ROWS
    assert asked.count(busy) == 3  # Refused, then its size, then its content.


def test_revisions_layouts_and_refusals_go_through_the_hubs_client(
    gue: Path, tmp_path: Path, ask: Ask
) -> None:
    nt = write_parquet(tmp_path / "nt" / "H3", "H3").parent
    write_parquet(nt / "data", "promoter_all", "promoter_tata", form="{}-00000-of-00001.parquet")
    names = [
        f"emp/H3@{COMMIT}", "emp/H3@v9", "prom/all", "nt/H3", "nt/promoter_tata", "nt/H4",
    ]  # fmt: skip
    with hub_of({}, {GUE: gue, NT: nt}) as (address, asked):
        pinned, revision, absent, folder, shared, other = ask(address, *names)
    assert pinned["rows"] == ROWS
    assert f"datasets/{GUE}/resolve/{COMMIT}/GUE/emp_H3/train.csv" in asked
    assert "no such revision of the data set: v9" in revision["error"]
    assert "--repo-type dataset --revision v9) and set HF_HOME" in revision["error"]
    assert (
        f"{GUE}: prom/all must be train.csv, dev.csv, test.csv (or .parquet) in GUE/prom_300"
        in (absent["error"])
    )
    assert "but got GUE/emp_H3/dev.csv, GUE/emp_H3/test.csv, " in absent["error"]
    assert folder["rows"] == shared["rows"] == {"train": 36, "dev": 4, "test": 16}
    assert "column 'task' must name H4 in some rows, but got promoter_all" in other["error"]


def test_without_hub_and_cache_the_error_names_both_fixes(ask: Ask) -> None:
    with hub_of({}) as (address, _):
        [unknown] = ask(address, "nt/H3")
    [gone] = ask(NOWHERE, "emp/H3")
    assert "but got no such data set;" in unknown["error"]
    assert gone["error"].startswith(f"task.name: emp/H3: {GUE} must be on the Hugging Face hub")
    assert "but got no connection" in gone["error"]
    assert f"(hf download {GUE} --repo-type dataset) and set HF_HOME to it" in gone["error"]
    assert gone["error"].endswith("or set task.path to a local folder that has it")
