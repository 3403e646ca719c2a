"""The trained model of a study, from the files that `save_artifacts` wrote."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from adapters import load_adapters
from study.errors import InputError
from study.models import BackboneInfo, head_labels, inspect_backbone, load_backbone
from study.models.backbones import fingerprint
from study.spec import StudySpec
from study.training.files.identity import difference
from study.training.methods import PreparedModel, prepare
from study.training.peft.files import load_peft, read_config
from study.training.peft.inject import PeftInputs

_ADAPTERS = "adapters.safetensors"


def load_trained(
    spec: StudySpec, best: Path, weights: str | None
) -> tuple[PreparedModel, BackboneInfo]:
    """Returns the trained model: the backbone with the weights in `best`, on the CPU.

    `weights` is the hash of the backbone that the study was started with, if it is known.

    Raises:
        InputError: the files, or the backbone, are not those of the spec.
    """
    named = spec.backbone
    random = named.random_seed is not None
    info = inspect_backbone(named.name, named.revision, with_weights=not random)
    trained = _read(best / "head.safetensors", spec)
    labels = _labels(trained, best, info.family)
    backbone = load_backbone(
        info, num_labels=labels, dtype=named.dtype, random_seed=named.random_seed
    )
    if weights is not None and not random and fingerprint(backbone) != weights:
        raise InputError(
            f"backbone {info.name}: must be the one that the study was started with, but got "
            "another config.json or other weights; restore them"
        )
    inputs = PeftInputs()
    if spec.adapter.method == "peft":
        inputs = PeftInputs(stored=read_config(best / _ADAPTERS))
    prepared = prepare(spec, backbone, torch.device("cpu"), inputs)
    if prepared.backbone:
        trained |= _read(best / "model.safetensors", spec)
    _fill(prepared, trained, best, spec)
    return prepared, info


def trained_labels(spec: StudySpec, best: Path, family: str) -> int:
    """Returns the number of classes of the head in `best`.

    Raises:
        InputError: the file is not a head of the spec and the family.
    """
    return _labels(_read(best / "head.safetensors", spec), best, family)


def _labels(head: Mapping[str, torch.Tensor], best: Path, family: str) -> int:
    labels = head_labels(family, head)
    if labels is None:
        raise InputError(
            f"{best / 'head.safetensors'}: must be a head of the {family} family, but got "
            f"{', '.join(head) or 'nothing'}; restore best/"
        )
    return labels


def _read(path: Path, spec: StudySpec) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: must be a safetensors file, but got {error}; restore best/"
        ) from error
    _check_identity(path, metadata, spec)
    return tensors


def _check_identity(path: Path, metadata: Mapping[str, str], spec: StudySpec) -> None:
    """Refuses weights that were trained with other settings or seeds than best.yaml has."""
    if found := difference(metadata, spec):
        raise InputError(
            f"{path}: must have the settings and seeds of best.yaml, but got {found}; restore "
            "best/ and best.yaml"
        )


def _fill(
    prepared: PreparedModel, trained: Mapping[str, torch.Tensor], best: Path, spec: StudySpec
) -> None:
    expected = prepared.head | prepared.backbone
    mismatched = sorted(expected.keys() ^ trained.keys())
    mismatched += sorted(
        name
        for name in expected.keys() & trained.keys()
        if expected[name].shape != trained[name].shape
    )
    if mismatched:
        raise InputError(
            f"{best}: must contain the parameters that best.yaml trains, but got {mismatched[0]} "
            "missing, left over or of another shape; restore best/"
        )
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(trained[name])
    if prepared.adapters or prepared.peft is not None:
        file = best / _ADAPTERS
        try:
            metadata = (
                load_adapters(prepared.model, file)
                if prepared.peft is None
                else load_peft(prepared.peft, file)
            )
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(
                f"{best}: must contain the winner's adapters, but got {error}; restore best/"
            ) from error
        _check_identity(file, metadata, spec)
