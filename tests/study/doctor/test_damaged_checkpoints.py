"""Findings on damaged checkpoints and files of the winner."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from study.spec import dump_spec, load_spec
from study.storage.events import StudyGrown
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.predictions import write_predictions
from tests.study.doctor.made_folders import ask, edit, made_predictions, save_checkpoint

Damage = Callable[[StudyFolder], Any]
PARAMS = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
"""The parameters of trial 2."""


def damage_weights(file: Path) -> None:
    """Changes one byte of the weights, which are zeros."""
    data = file.read_bytes()
    place = data.index(bytes(256))
    file.write_bytes(data[: place + 5] + b"\1" + data[place + 6 :])


# Checkpoints


def other_params(folder: StudyFolder) -> None:
    save_checkpoint(folder, 2, 2, {"b0": 99})


CHECKPOINTS: dict[str, tuple[Damage, str, bool]] = {
    "gone": (
        lambda f: [file.unlink() for file in f.checkpoints.glob("trial-00002*")],
        "trial 2: has 2 reports, but no checkpoint",
        False,
    ),
    "damaged": (
        lambda f: damage_weights(f.checkpoint(2)),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "cut short": (
        lambda f: f.checkpoint(2).write_bytes(f.checkpoint(2).read_bytes()[:400]),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "no checkpoint": (
        lambda f: torch.save({"something": "else"}, f.checkpoint(2)),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "of another study": (other_params, "is of other parameters: {'b0': 99}", False),
    "too old": (
        lambda f: shutil.copy(f.checkpoints / "trial-00002.previous.pt", f.checkpoint(2)),
        "is of report 1, but the journal has 2",
        False,
    ),
    "too new": (
        lambda f: save_checkpoint(f, 2, 4, PARAMS),
        "is of report 4, but the journal has 2",
        False,
    ),
    "half written": (
        lambda f: (f.checkpoints / "trial-00002.7.partial").write_bytes(b"x"),
        "trial-00002.7.partial: is half written",
        True,
    ),
    "left over": (
        lambda f: save_checkpoint(f, 1, 1, {}),
        "checkpoints of trial 1 are not needed any more",
        True,
    ),
    "of no trial": (
        lambda f: save_checkpoint(f, 17, 1, {}),
        "checkpoints/trial-00017.pt: belongs to no trial",
        False,
    ),
    "of the best": (
        lambda f: [file.unlink() for file in f.checkpoints.glob("trial-00000*")],
        "trial 0: is among the best so far, but has no checkpoint",
        False,
    ),
}


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_unusable_checkpoints_are_reported(interrupted: Path, damage: str) -> None:
    change, message, unfinished = CHECKPOINTS[damage]
    change(StudyFolder(interrupted))
    [finding] = ask(interrupted, "checkpoints")
    assert message in finding.problem
    assert finding.unfinished == unfinished


def test_a_checkpoint_may_be_one_report_ahead_of_the_journal(interrupted: Path) -> None:
    save_checkpoint(StudyFolder(interrupted), 2, 3, PARAMS)
    assert ask(interrupted, "checkpoints") == []


def test_a_checkpoint_from_before_the_study_was_extended_is_valid(interrupted: Path) -> None:
    searched = "adapter.beta1={type: float, low: 0.5, high: 0.9}"
    spec = load_spec(str(StudyFolder(interrupted).spec), [searched])
    journal = Journal(StudyFolder(interrupted).journal)
    fields = {"trials": 4, "changes": ["adapter.beta1"], "spec": dump_spec(spec)}
    journal.append(StudyGrown(**fields, fixed={"beta1": 0.85}, space=True))
    assert ask(interrupted, "checkpoints") == []


# The winner


def scores(folder: StudyFolder, **changed: Any) -> None:
    folder.scores.write_text(json.dumps(json.loads(folder.scores.read_text()) | changed))


def of_another_trial(file: Path) -> None:
    save_file(load_file(file), file, {"seeds": json.dumps({"init": 77})})


WINNER: dict[str, tuple[Damage, str]] = {
    "no head": (lambda f: (f.best / "head.safetensors").unlink(), "head.safetensors is missing"),
    "no folder": (lambda f: shutil.rmtree(f.best), "head.safetensors is missing"),
    "damaged adapters": (
        lambda f: (f.best / "adapters.safetensors").write_bytes(b"\xff" * 200),
        "adapters.safetensors is damaged",
    ),
    "cut short": (
        lambda f: (f.best / "adapters.safetensors").write_bytes(
            (f.best / "adapters.safetensors").read_bytes()[:-9]
        ),
        "adapters.safetensors is damaged",
    ),
    "adapters of another trial": (
        lambda f: of_another_trial(f.best / "adapters.safetensors"),
        "best/adapters.safetensors is of another trial: it has seeds.init=77, not 0",
    ),
    "no scores": (lambda f: f.scores.unlink(), "scores.json is missing"),
    "no JSON": (lambda f: f.scores.write_text("{"), "scores.json is not JSON"),
    "no object": (lambda f: f.scores.write_text("[]"), "scores.json is not a JSON object"),
    "another trial": (
        lambda f: scores(f, trial=0),
        "must be as in the journal, 2, but is 0",
    ),
    "other scores": (
        lambda f: scores(f, test={"test_mcc": 1.0}),
        "must be as in the journal",
    ),
    "damaged predictions": (
        lambda f: f.predictions.write_bytes(f.predictions.read_bytes()[:-30]),
        "best/predictions.npz is damaged",
    ),
    "predictions of other weights": (
        lambda f: write_predictions(f.predictions, made_predictions(right=2)),
        "best/predictions.npz: dev_accuracy must be as in the journal, 0.75, but is 0.5",
    ),
    "no spec": (lambda f: f.best_spec.unlink(), "there is no best.yaml"),
    "spec damaged": (lambda f: f.best_spec.write_text("adapter: {p: }}"), "best.yaml cannot be"),
    "another spec": (
        lambda f: f.best_spec.write_text(f.best_spec.read_text().replace("p: 0.1", "p: 0.2")),
        "best.yaml is not the winner's",
    ),
}


def test_a_winner_of_an_older_version_has_no_predictions(finished: Path) -> None:
    StudyFolder(finished).predictions.unlink()
    assert ask(finished, "winner") == []


@pytest.mark.parametrize("damage", WINNER)
def test_damaged_or_wrong_files_of_the_winner_are_reported(finished: Path, damage: str) -> None:
    change, message = WINNER[damage]
    change(StudyFolder(finished))
    findings = ask(finished, "winner")
    assert message in findings[0].problem
    assert "--resume" in findings[0].fix


def test_scores_without_a_winner_event_are_unfinished_work(finished: Path) -> None:
    edit(finished, lambda events: events.pop())
    [finding] = ask(finished, "winner")
    assert finding.unfinished
