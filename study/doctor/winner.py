"""Checks of the winner's files: best/ and best.yaml."""

import json
import math
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from study.doctor.finding import Finding, NotCheckedError
from study.doctor.subject import ReadLedger, Subject
from study.errors import InputError
from study.spec import load_spec, resolve, single_trial
from study.storage.events import WinnerEvaluated
from study.storage.predictions import read_predictions
from study.training.files.identity import difference

finding = partial(Finding, "winner")


def check(subject: Subject) -> Iterator[Finding]:
    """Finds files of the winner that are missing, damaged, or of another trial."""
    ledger = subject.ledger()
    winner, folder = ledger.record.winner, subject.folder
    if subject.running:
        raise NotCheckedError("the driver may be writing its files")
    if winner is None:
        if folder.scores.exists():
            yield finding(
                "best/ has scores, but the journal has no winner",
                f"it is chosen by {subject.resume}",
                unfinished=True,
            )
        return
    if ledger.complete and ledger.finalists() and not ledger.winner_is_current:
        raise NotCheckedError("another winner must be chosen; see trials")
    command = shlex.join(["rm", "-r", str(folder.best)])
    rewrite = f"{command}, and then {subject.resume}: best/ is made again"
    problems = (
        *_weights(subject, ledger, winner),
        *_scores(folder.scores, winner),
        *_predictions(folder.predictions, winner),
    )
    for problem in problems:
        yield finding(problem, rewrite)
    yield from _best_spec(subject, ledger)


def _weights(subject: Subject, ledger: ReadLedger, winner: WinnerEvaluated) -> Iterator[str]:
    # Imported here: torch takes seconds.
    from safetensors import SafetensorError, safe_open

    trial = ledger.record.trials[winner.trial]
    spec = resolve(ledger.spec, trial.params, trial.seeds)
    method = ledger.spec.adapter.method
    parts = {"fmft": ["model"], "linear_probe": []}.get(method, ["adapters"])
    for part in ("head", *parts):
        file = subject.folder.best / f"{part}.safetensors"
        try:
            with safe_open(file, framework="pt") as opened:
                metadata = opened.metadata() or {}
                for name in opened.keys():  # noqa: SIM118  No mapping: it has no `in`.
                    opened.get_tensor(name)
        except FileNotFoundError:
            yield f"best/{file.name} is missing"
        except (SafetensorError, OSError) as error:
            yield f"best/{file.name} is damaged: {error}"
        else:
            if found := difference(metadata, spec):
                yield f"best/{file.name} is of another trial: it has {found}"


def _scores(file: Path, winner: WinnerEvaluated) -> Iterator[str]:
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield "best/scores.json is missing"
        return
    except ValueError:
        yield "best/scores.json is not JSON"
        return
    if not isinstance(scores, dict):
        yield "best/scores.json is not a JSON object"
        return
    for name, value in {"trial": winner.trial, "dev": winner.dev, "test": winner.test}.items():
        if scores.get(name) != value:
            yield (
                f"best/scores.json: {name} must be as in the journal, {value}, but is "
                f"{scores.get(name)}"
            )


def _predictions(file: Path, winner: WinnerEvaluated) -> Iterator[str]:
    """Finds predictions that are damaged, or whose accuracy is not that of the journal."""
    try:
        predictions = read_predictions(file)
    except InputError as error:
        yield f"best/{file.name} is damaged: {error}"
        return
    if predictions is None:  # As older versions left it.
        return
    for name, split in predictions.splits.items():
        metric = f"{name}_accuracy"
        recorded = (winner.dev if name == "dev" else winner.test).get(metric)
        found = float((split.predicted == split.labels).mean())
        if recorded is not None and not math.isclose(found, recorded, abs_tol=1e-9):
            yield (
                f"best/{file.name}: {metric} must be as in the journal, {recorded}, but is {found}"
            )


def _best_spec(subject: Subject, ledger: ReadLedger) -> Iterator[Finding]:
    winner = ledger.record.winner
    assert winner is not None
    fix = f"resuming writes it: {subject.resume}"
    try:
        stored = load_spec(str(subject.folder.best_spec), stored=True)
    except InputError as error:
        missing = not subject.folder.best_spec.exists()
        text = "there is no best.yaml" if missing else f"best.yaml cannot be read: {error}"
        yield finding(text, fix, unfinished=missing)
        return
    trial = ledger.record.trials[winner.trial]
    expected = single_trial(resolve(ledger.spec, trial.params, trial.seeds))
    left_out = {"resources"}
    if stored.model_dump(exclude=left_out) != expected.model_dump(exclude=left_out):
        yield finding(f"best.yaml is not the winner's: it differs from trial {winner.trial}", fix)
