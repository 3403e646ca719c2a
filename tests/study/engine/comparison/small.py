"""A small comparison without Ray: its configurations, data, ledger and workers in this process."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from study.engine import worker as worker_module
from study.engine.comparison.runs import ComparisonRun, Configuration
from study.engine.comparison.worker import ComparisonWorker
from study.engine.resources import Resources
from study.models import Backbone
from study.models.info import BackboneInfo
from study.models.tokenization import MISSING, Tokenizer
from study.spec import StudySpec, dump_spec, load_spec
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.opening import open_folder
from study.training.encoding import EncodedTask, encode_split

ONE = Resources(cpus=1, gpus=0.0, concurrent=1)
ROWS = 32
SMALL = (
    "adapter.p=0.3", "adapter.b0=4", "adapter.bT=2", "adapter.deltaT=3",
    "training.lr=1e-2", "training.steps=8", "training.reports=2", "training.batch_size=4",
    f"task.train={ROWS}", "task.dev=24", "task.test=16",
)  # fmt: skip
"""8 steps, T = 6, mask events at 3 and 6, reports at 4 and 8."""

Prepared = tuple[BackboneInfo, EncodedTask]
OpenLedger = Callable[[], Ledger]


def spec_of(*overrides: str) -> StudySpec:
    """The smoke space with one value a setting."""
    return load_spec("smoke", (*SMALL, *overrides))


def configuration(label: str = "best", *overrides: str) -> Configuration:
    """A configuration of the spec above."""
    return Configuration(label, spec_of(*overrides))


def crossed(
    *configurations: Configuration, masks: int = 2, blocks: int = 1
) -> list[ComparisonRun]:
    """Every mask seed with each of `blocks` (init, data) seeds, each run once."""
    seeds = product(range(blocks), configurations, range(masks))
    found = [ComparisonRun.of(c, mask=100 + m, init=200 + b, data=300 + b) for b, c, m in seeds]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    """A tiny backbone, which workers get in place of the spec's, and data for it."""
    info, data = _backbone().info, _task()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "load_backbone", lambda *given, **settings: _backbone())
        yield info, data


def _backbone() -> Backbone:
    config = transformers.OPTConfig(
        vocab_size=24,
        hidden_size=16,
        word_embed_proj_dim=16,
        ffn_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        pad_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.OPTForSequenceClassification(config).eval()
    sizes = {"layers": 2, "hidden_size": 16, "embedding_size": 16, "feed_forward_size": 32}
    info = BackboneInfo(
        name="tiny", source="", revision=None, folder=Path(), family="opt", **sizes,
        vocab_size=24, max_positions=32, pad_id=1, bos_id=2, has_tokenizer_json=False,
    )  # fmt: skip
    return Backbone(info, model, Tokenizer(lambda found: [], {}, (), (), 1, MISSING, "none"))


def _task() -> EncodedTask:
    splits = []
    for seed, rows in enumerate((ROWS, 24, 16)):
        generator = np.random.default_rng(seed)
        tokens = generator.integers(5, 24, size=(rows, 8)).tolist()
        splits.append(encode_split(tokens, [min(row.count(7), 1) for row in tokens]))
    return EncodedTask("tiny", 2, 1, *splits)


@pytest.fixture
def open_ledger(tmp_path: Path) -> OpenLedger:
    """Returns a function that opens a ledger in one and the same folder."""

    def open_() -> Ledger:
        ledger = Ledger(open_folder(tmp_path / "runs" / "small", "{}"), "dev_mcc")
        if not ledger.opened:
            ledger.append(StudyOpened(version=1, name="small", spec="spec.yaml"))
        return ledger

    return open_


def start(
    prepared: Prepared,
    folder: StudyFolder,
    run: ComparisonRun,
    number: int = 0,
    prefix: str | None = None,
    splits: Iterable[str] = ("dev", "test"),
    keep: bool = False,
) -> ComparisonWorker:
    """Sets a worker up as Ray would, in this process."""
    worker: ComparisonWorker = object.__new__(ComparisonWorker)
    config = {
        "trial": number,
        "params": run.labels,
        "reports": 99,
        "assigned": time.time(),
        "spec": dump_spec(run.spec),
        "prefix": prefix,
        "splits": tuple(splits),
        "keep": keep,
    }
    info, data = prepared
    shared = {
        "spec": run.spec,
        "info": info,
        "data": data,
        "folder": folder,
        "trial_resources": ONE,
    }
    worker.setup(config, **shared, final_budget_reports=())
    return worker


def reports_of(worker: ComparisonWorker, count: int = 2) -> list[dict[str, Any]]:
    """The worker's reports without what the clock decides, and without what it shared."""
    reports = [worker.step() for _ in range(count)]
    for report in reports[:-1]:
        assert np.isnan(report.pop("dev_mcc"))  # Ray gets NaN before the last report.
    left_out = ("seconds", "memory", "shared", "warnings", "system/")
    return [{k: v for k, v in r.items() if not any(w in k for w in left_out)} for r in reports]
