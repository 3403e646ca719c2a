"""The result of a study for its parent run: parameters, metrics, description, data, files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.engine.console.lines import format_value
from study.engine.tracking.entries import SCORE, metric_entries
from study.engine.tracking.winner_model import WinnerModel
from study.spec import load_spec, method_label
from study.spec.task import GENERATED, TaskSpec
from study.storage.events import StudyOpened
from study.storage.ledger import StudyLedger
from study.storage.result import Estimate, Headline, StudyResult, study_result
from study.tasks.published.catalogue import PUBLISHED

NOTE_TAG = "mlflow.note.content"
CONTEXTS = {"train": "training", "dev": "validation", "test": "testing"}
DIGEST_LENGTH = 36
"""The longest digest of a data set that MLflow accepts."""


@dataclass(frozen=True)
class Summary:
    """What the parent run of a study gets when its winner is known."""

    stamp: str
    """Identifies the result: another winner, or one measured again, has another."""
    params: Mapping[str, Any]
    scores: Mapping[str, float]
    time: float
    tags: Mapping[str, str]
    files: Sequence[Path]
    model: WinnerModel | None
    task: TaskSpec
    digest: str
    rows: Mapping[str, int]

    def metrics(self) -> list[Any]:
        """Returns the scores as metrics."""
        return metric_entries(self.scores, 0, self.time)

    def datasets(self) -> list[Any]:
        """Returns the splits of the data as inputs of the run; none if they are not known."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        kind, source = _source(self.task)
        return [
            DatasetInput(
                Dataset(
                    name=f"{self.task.label}, {split}",
                    digest=self.digest,
                    source_type=kind,
                    source=json.dumps(source),
                    profile=json.dumps({"num_rows": self.rows[split]}),
                ),
                [InputTag("mlflow.data.context", context)],
            )
            for split, context in CONTEXTS.items()
            if split in self.rows and self.digest
        ]


def summary_of(ledger: StudyLedger) -> Summary | None:
    """Returns the result of a study; None if it has no winner yet."""
    record, spec, folder = ledger.record, ledger.spec, ledger.folder
    result = study_result(record, spec, name=folder.path.name)
    winner, headline = record.winner, result.headline
    if winner is None or headline is None:
        return None
    shared = {
        "backbone": spec.backbone.name,
        "task": spec.task.label,
        "method": method_label(spec.adapter),
    }
    opened = record.opened or StudyOpened()
    return Summary(
        stamp=f"trial {winner.trial}, {winner.time:.3f}",
        params={**shared, "winner": winner.trial, **headline.params, **headline.settings},
        scores=_scores(result, headline),
        time=winner.time,
        tags={"winner": str(winner.trial), NOTE_TAG: _note(result, headline, shared, folder.path)},
        files=[folder.report, folder.best_spec, folder.best],
        model=_model(ledger, opened),
        task=spec.task,
        digest=(opened.data or "")[:DIGEST_LENGTH],
        rows=result.rows,
    )


def _scores(result: StudyResult, headline: Headline) -> dict[str, float]:
    """Returns the score to quote under the metric's own name, and how sure it is."""
    scores: dict[str, float | None] = {}
    for name, one in {**headline.dev, **headline.test}.items():
        scores[name] = one.mean
        spread = {"sd": one.sd, "iqm": one.iqm, "low": one.low, "high": one.high}
        scores |= {f"{name}_{what}": value for what, value in spread.items()}
    dev = headline.score(result.metric)
    scores[SCORE] = None if dev is None else dev.mean
    scores["seeds"] = None if dev is None else float(dev.scored)
    scores["collapsed"] = None if dev is None else float(dev.collapsed)
    scores[f"search_{result.metric}"] = headline.search
    if headline.confirmed:  # The weights in best/ are of one run.
        scores |= {f"weights_{name}": value for name, value in headline.weights.items()}
    if result.stopping is not None and result.stopping.audited:
        names = ("audited", "better", "better_low", "better_high", "loss", "loss_low", "loss_high")
        scores |= {f"stopping_{name}": getattr(result.stopping, name) for name in names}
    for baseline, own in result.baselines.items():
        for name in (result.metric, result.test_metric):
            scores[f"baseline_{baseline}_{name}"] = own.get(name)
    return {name: value for name, value in scores.items() if value is not None}


def _note(result: StudyResult, headline: Headline, shared: Mapping[str, str], folder: Path) -> str:
    """Returns a description in Markdown."""
    scores = [headline.score(name) for name in (result.metric, result.test_metric)]
    said = "; ".join(_score_text(one) for one in scores if one is not None)
    how = (
        f"over {len(headline.seeds)} seeds that did not choose it"
        if headline.confirmed
        else "of the one run in the search that chose it, and optimistic on dev"
    )
    rows = [f"| `{name}` | {format_value(value)} |" for name, value in headline.settings.items()]
    count = {state: len(result.in_state(state)) for state in ("complete", "pruned", "failed")}
    return "\n".join(
        [
            f"**{said}** ({how}).",
            "",
            f"The winner is trial {headline.trial}: {shared['method']} on {shared['backbone']}, "
            f"task {shared['task']}.",
            "",
            "| setting | value |",
            "|---|---|",
            *rows,
            "",
            f"{count['complete']} trials complete, {count['pruned']} stopped early, "
            f"{count['failed']} failed. Sort by `{SCORE}`: only complete trials have it.",
            "",
            f"Study folder: `{folder}`. The page is the artifact `report.html`.",
        ]
    )


def _score_text(one: Estimate) -> str:
    text = f"{one.metric} {one.mean:.4f}"
    return text if one.low is None else f"{text} (95 % interval {one.low:.4f} to {one.high:.4f})"


def _model(ledger: StudyLedger, opened: StudyOpened) -> WinnerModel | None:
    """Returns the model in best/; None if the files are not there."""
    folder = ledger.folder
    if not folder.best_spec.is_file() or not (folder.best / "head.safetensors").is_file():
        return None
    quality = opened.quality or {}
    splits = quality.get("splits", {})
    train = splits.get("train")
    return WinnerModel(
        spec=load_spec(str(folder.best_spec), stored=True),
        best=folder.best,
        classes=list(quality.get("classes", ())),
        labels=2 if train is None else len(train["class_rows"]),
        weights=opened.backbone or None,
        commit=opened.commit or None,
    )


def _source(task: TaskSpec) -> tuple[str, dict[str, Any]]:
    """Returns the type of a data set's source for MLflow, and the source."""
    if task.path is not None:
        return "local", {"uri": str(task.path)}
    if task.name == GENERATED:
        settings = {name: getattr(task, name) for name in ("train", "dev", "test", "seed")}
        return "code", {"tags": {"mlflow.source.name": "study.tasks.generated", **settings}}
    known = PUBLISHED[str(task.name)]
    return "hugging_face", {"path": known.repository, "revision": task.revision}
