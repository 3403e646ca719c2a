"""The winner of a study as a model in MLflow, for `mlflow.pyfunc.load_model` and its commands.

The model has the trained weights (adapters and head; under full fine-tuning all), the spec, and
those packages of this project that prediction needs, as these are in no package index. A backbone
of the hub is named with its commit and loaded from there; the shipped one is in the packages; one
in a folder is read from that folder.
"""

import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import adapters
import study
from study.spec import StudySpec, dump_spec, method_label
from study.storage.durable import PARTIAL
from study.training.prediction.predictor import FACTS, SPEC

NAME = "winner"
"""Of the model in its run."""
LAYERS = ("models", "paper", "spec", "tasks", "training")
"""The packages of `study` that prediction needs, beside its own modules and `adapters`."""
REQUIREMENTS = (
    *("mlflow", "pandas", "numpy", "torch", "transformers", "tokenizers", "safetensors"),
    *("jaxtyping", "pydantic", "ruamel.yaml", "scikit-learn", "scipy", "typing-extensions"),
)
EXAMPLE = "GGGCGCCTATAAAAGGCGCGCCATTCGACGATCGATTACGGCATGCATTGCAACGTTGCA"


@dataclass(frozen=True)
class WinnerModel:
    """What the model of a winner is made from."""

    spec: StudySpec
    """Of one trial, as in best.yaml."""
    best: Path
    """The folder of its weights."""
    classes: Sequence[str]
    """Names of the classes; empty if they are numbers."""
    labels: int
    """The number of classes."""
    weights: str | None
    """The hash of the backbone that the study was started with."""
    commit: str | None
    """Of a backbone of the hub."""

    @property
    def columns(self) -> list[str]:
        """The names of the probabilities."""
        return list(self.classes) or [f"class_{k}" for k in range(self.labels)]


def log_model(client: Any, experiment: str, run: str, model: WinnerModel) -> None:
    """Logs a model as the output of a run; one that is there already is written again."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    earlier = client.search_logged_models([experiment], f"source_run_id = '{run}'")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        params = {name: str(value) for name, value in _params(model.spec).items()}
        logged = (
            earlier[0]
            if earlier
            else client.create_logged_model(experiment, NAME, source_run_id=run, params=params)
        )
        save_model(model, path, {"run_id": run, "model_id": logged.model_id})
        client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    outputs = client.get_run(run).outputs.model_outputs
    if logged.model_id not in {one.model_id for one in outputs}:
        client.log_outputs(run, [LoggedModelOutput(logged.model_id, 0)])


def save_model(model: WinnerModel, path: Path, ids: Mapping[str, str] | None = None) -> None:
    """Writes a model into a new folder, with signature, input example and requirements."""
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, on type hints, also at its import.
        import mlflow.pyfunc

        files, code = Path(folder) / "winner", Path(folder) / "code"
        _copy_winner(model, files)
        _copy_packages(code)
        outputs = [ColSpec("double", name) for name in model.columns]
        mlflow.pyfunc.save_model(
            path,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"winner": str(files)},
            code_paths=[str(part) for part in sorted(code.iterdir())],
            signature=ModelSignature(Schema([ColSpec("string", "sequence")]), Schema(outputs)),
            input_example=pd.DataFrame({"sequence": [EXAMPLE]}),
            pip_requirements=_requirements(model.spec),
            mlflow_model=Model(**(ids or {})),
        )


def _copy_winner(model: WinnerModel, folder: Path) -> None:
    shutil.copytree(
        model.best, folder, ignore=shutil.ignore_patterns(f"*{PARTIAL}", "*.json", "*.npz")
    )
    backbone = model.spec.backbone
    if model.commit is not None:
        backbone = backbone.model_copy(update={"revision": model.commit})
    spec = model.spec.model_copy(update={"backbone": backbone})
    (folder / SPEC).write_text(dump_spec(spec), encoding="utf-8")
    facts = {"classes": model.columns, "backbone": model.weights}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _copy_packages(folder: Path) -> None:
    """Copies `adapters`, and what prediction needs of `study`."""
    ignored = shutil.ignore_patterns("__pycache__", "*.md")
    root = Path(study.__file__).parent
    shutil.copytree(Path(adapters.__file__).parent, folder / "adapters", ignore=ignored)
    for layer in LAYERS:
        shutil.copytree(root / layer, folder / "study" / layer, ignore=ignored)
    for module in root.glob("*.py"):
        shutil.copy(module, folder / "study")


def _requirements(spec: StudySpec) -> list[str]:
    """Returns the installed versions; without the local part of PyTorch's, as in 2.13.0+cpu."""
    names = (*REQUIREMENTS, *(("peft",) if spec.adapter.method == "peft" else ()))
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in names]


def _params(spec: StudySpec) -> dict[str, Any]:
    return {
        "backbone": spec.backbone.name,
        "task": spec.task.label,
        "method": method_label(spec.adapter),
    }
