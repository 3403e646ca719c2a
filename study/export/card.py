"""The model card of an exported folder: README.md with the head that the hub reads.

The head names licence, backbone, library, data and scores; the text says how to load the model,
how it was chosen and measured, and what its limits are. What is not known is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.analysis.study.data_table import data_table
from study.analysis.study.reading import read_study
from study.engine.stored_winner import StoredWinner
from study.export.formats import Written
from study.models.info import EMBEDDED, is_preset
from study.models.presets import PRESETS
from study.spec import method_label
from study.spec.task import TaskSpec
from study.storage.result import Estimate, Headline, StudyResult, read_result
from study.tasks.published.catalogue import PUBLISHED

KNOWN_LICENCES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0",
                  "cc-by-sa-4.0", "cc-by-nc-sa-4.0", "llama3", "openrail")  # fmt: skip
"""Licences that the hub names as the presets do."""
METRICS = {"mcc": "matthews_correlation", "auc": "roc_auc"}
"""Names of metrics on the hub, where they differ."""


def write_card(winner: StoredWinner, written: Written, out: Path) -> None:
    """Writes README.md into an exported folder."""
    result = read_result(winner.stored) if winner.folder.journal.is_file() else None
    head = _head(winner, written, result)
    (out / "README.md").write_text(
        f"---\n{head}\n---\n\n{_text(winner, written, result)}", "utf-8"
    )


def _head(winner: StoredWinner, written: Written, result: StudyResult | None) -> str:
    from huggingface_hub import ModelCardData

    spec = winner.spec
    hub = _hub_id(winner)
    published = PUBLISHED.get(str(spec.task.name))
    return ModelCardData(
        **_licence_of(winner),
        base_model=hub,
        base_model_relation=written.relation if hub else None,
        library_name=written.library,
        pipeline_tag="text-classification",
        tags=["dna", "genomics", "adalora-rs-study", spec.adapter.method, *written.tags],
        datasets=[published.repository] if published is not None else None,
        metrics=[*METRICS.values(), "accuracy", "f1"],
        **_index(winner, result),
    ).to_yaml()


def licence(name: str) -> str | None:
    """Returns the licence of a backbone's weights by `backbone.name`; None if it is not known."""
    if name in EMBEDDED:
        return "Apache-2.0"
    return PRESETS[name].licence if is_preset(name) else None


def _licence_of(winner: StoredWinner) -> dict[str, Any]:
    """Returns the keys of the licence: that of the backbone, of which the model is made."""
    if not _has_pretrained_weights(winner):
        return {}
    known = licence(winner.spec.backbone.name)
    short = (known or "unknown").partition(":")[0].lower()
    if known is None or short in KNOWN_LICENCES:
        return {"license": short}
    name = short.replace(" ", "-")
    link = f"https://huggingface.co/{_hub_id(winner)}"
    return {"license": "other", "license_name": name, "license_link": link}


def _has_pretrained_weights(winner: StoredWinner) -> bool:
    backbone = winner.spec.backbone
    return backbone.random_seed is None


def _hub_id(winner: StoredWinner) -> str | None:
    """Returns the hub id of the backbone; None if it is a folder or the shipped one."""
    info = winner.info
    local = info.name in EMBEDDED or info.source == str(info.folder) or "/" not in info.source
    return None if local or not _has_pretrained_weights(winner) else info.source


def _index(winner: StoredWinner, result: StudyResult | None) -> dict[str, Any]:
    """Returns the scores on test: those of these weights, and the mean over the seeds."""
    headline = result.headline if result is not None else None
    if headline is None or not headline.test:
        return {}
    from huggingface_hub import EvalResult

    task = winner.spec.task
    published = PUBLISHED.get(str(task.name))

    def entry(metric: str, value: float, name: str) -> EvalResult:
        short = metric.removeprefix("test_")
        return EvalResult(
            task_type="text-classification",
            dataset_type=published.repository if published is not None else task.label,
            dataset_name=task.label,
            dataset_split="test",
            metric_type=METRICS.get(short, short),
            metric_value=round(value, 6),
            metric_name=name,
        )

    own = {k: v for k, v in headline.weights.items() if k.startswith("test_") and v is not None}
    entries = [entry(name, value, f"{name}, these weights") for name, value in own.items()]
    if headline.confirmed:
        entries += [
            entry(name, one.mean, f"{name}, {_over_seeds(one)}")
            for name, one in headline.test.items()
        ]
    return {"model_name": winner.folder.path.name, "eval_results": entries}


def _over_seeds(one: Estimate) -> str:
    if one.low is None or one.high is None:
        return "one run"
    return f"mean of {one.count} seeds (95 % interval {one.low:.4f} to {one.high:.4f})"


# The text


def _text(winner: StoredWinner, written: Written, result: StudyResult | None) -> str:
    spec = winner.spec
    pooling = spec.backbone.pooling
    reads = "" if pooling == "auto" else f", pooling {pooling}"
    title = f"{method_label(spec.adapter)} on {_name(winner)} for {spec.task.label}"
    parts = [
        f"# {title}",
        f"Classifies DNA sequences into {winner.labels} classes"
        + (f" ({', '.join(winner.classes)})" if winner.classes else "")
        + f". The backbone is {_backbone(winner)}{reads}; the settings were found by a study of "
        f"{'an unknown number of' if result is None else len(result.trials)} trials with "
        "adalora-rs-study.",
        "## Use",
        f"```python\n{written.code.strip()}\n```",
        _bullets([*written.remarks, *_of_inputs(winner)]),
        "## Scores",
        *(_scores(result) if result is not None else ["Not known: the study has no journal."]),
        "## Data",
        *_data(winner, result),
        "## Settings",
        _settings(winner, result),
        "## Limits",
        _bullets(_limits(winner, result)),
        "## Versions",
        _versions(winner),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _backbone(winner: StoredWinner) -> str:
    spec = winner.spec.backbone
    if not _has_pretrained_weights(winner):
        return f"{spec.name} without pre-training"
    hub, revision = _hub_id(winner), getattr(spec, "revision", None)
    if hub is not None:
        at = f" at {revision}" if revision else ""
        return f"[{hub}](https://huggingface.co/{hub}){at}"
    where = "shipped with adalora-rs-study" if spec.name in EMBEDDED else "a local folder"
    return f"{_name(winner)} ({where})"


def _name(winner: StoredWinner) -> str:
    """Returns the name of the backbone; of a folder without those that it is in."""
    name = winner.spec.backbone.name
    return name if _hub_id(winner) is not None else Path(name).name


def _of_inputs(winner: StoredWinner) -> list[str]:
    """Returns what a user must do to the sequences as the study did."""
    task, most = winner.spec.task, winner.info.max_positions
    remarks = ["Sequences are A, C, G, T and N in upper case; write T for U."]
    if task.max_length is not None:
        remarks.append(f"The study cut sequences to {task.max_length} tokens.")
    elif most is not None:
        remarks.append(f"A sequence has at most {most} tokens.")
    if task.averages_rc:
        remarks.append(
            "The study averages the class probabilities of a sequence and its reverse complement; "
            "the code above reads one strand."
        )
    return remarks


def _scores(result: StudyResult) -> list[str]:
    headline = result.headline
    if headline is None:
        return ["Not known: the study has no complete trial."]
    rows = []
    for name in sorted(
        {key.partition("_")[2] for key in headline.dev},
        key=lambda one: (f"dev_{one}" != result.metric, one),
    ):
        cells = [_score(headline, f"{split}_{name}") for split in ("dev", "test")]
        weights = headline.weights.get(f"test_{name}")
        rows.append([name, *cells, "" if weights is None else f"{weights:.4f}"])
    how = (
        f"Mean and 95 % interval over {len(headline.seeds)} runs with seeds that did not choose "
        "the settings. The weights in this folder are those of one run; their own score on test "
        "is in the last column."
        if headline.confirmed
        else "Of the one run by which the settings were chosen: its dev scores are optimistic."
    )
    floor = [
        f"{name}: {', '.join(f'{k} {v:.4f}' for k, v in values.items() if k.startswith('test_'))}"
        for name, values in result.baselines.items()
    ]
    table = _table(["metric", "dev", "test", "test, these weights"], rows)
    baselines = f"Baselines: {'; '.join(floor)}." if floor else ""
    lights = [light.text for light in result.health if light.level in ("warn", "bad")]
    return [how, table, baselines, _bullets(lights)]


def _score(headline: Headline, metric: str) -> str:
    one = headline.score(metric)
    if one is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.mean:.4f}"
    return f"{one.mean:.4f} ({one.low:.4f} to {one.high:.4f})"


def _data(winner: StoredWinner, result: StudyResult | None) -> list[str]:
    text = f"{winner.spec.task.label}: {_source(winner.spec.task)}."
    table = None if result is None else data_table(read_study(winner.stored))
    if table is None:
        return [text]
    rows = [[name, *cells] for name, cells in table.rows]
    return [text, _table(["split", *table.columns], rows), _bullets(table.remarks)]


def _source(task: TaskSpec) -> str:
    published = PUBLISHED.get(str(task.name))
    if published is not None:
        link = f"https://huggingface.co/datasets/{published.repository}"
        return f"[{published.repository}]({link}), {published.citation}"
    return "generated sequences" if task.path is None else "own data, which are not public here"


def _settings(winner: StoredWinner, result: StudyResult | None) -> str:
    spec = winner.spec
    found = result.headline.settings if result is not None and result.headline else {}
    sections = (spec.adapter, spec.training)
    values = {k: v for one in sections for k, v in one.model_dump(mode="json").items()}
    rows = [
        [f"`{name}`", _shown(value), "searched" if name in found else "fixed"]
        for name, value in values.items()
        if value is not None
    ]
    seeds = ", ".join(f"{name} {seed}" for name, seed in spec.seeds.model_dump().items())
    return f"{_table(['setting', 'value', ''], rows)}\n\nSeeds of these weights: {seeds}."


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _limits(winner: StoredWinner, result: StudyResult | None) -> list[str]:
    known = licence(winner.spec.backbone.name)
    if not _has_pretrained_weights(winner):
        right = "No pre-trained weights are in this model."
    elif known is None:
        right = (
            "The licence of the backbone is not known here: find it before you share the model."
        )
    else:
        right = f"Licence of the backbone: {known}. It holds for this model too."
    rows = {} if result is None else result.rows
    size = f" ({rows['test']:,} rows of one data set)" if "test" in rows else ""
    return [
        right,
        f"The scores are of the test split{size}; on other sequences they may differ.",
        "Every input gets a class, also one that is of none.",
        "The probabilities are not calibrated.",
    ]


def _versions(winner: StoredWinner) -> str:
    opened = winner.stored.opened
    versions: Mapping[str, str] = (opened and opened.created_with) or {}
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "Not known."


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
