"""Evaluates the winner of a study on the test split; writes best.yaml and best/."""

import json
import math
import os
import re
from pathlib import Path

import ray
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError
from safetensors import SafetensorError

from study.engine.checkpoints import load
from study.engine.resources import Resources
from study.engine.scheduling.outcomes import error_summary
from study.engine.stalls import Heartbeat, result_of
from study.models import load_backbone
from study.models.info import BackboneInfo
from study.spec import StudySpec, dump_spec, resolve, single_trial
from study.storage.durable import replacing, sync, sync_names
from study.storage.events import RaceResult, WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.predictions import SPLITS, Predictions, SplitPredictions, write_predictions
from study.storage.record import TrialRecord
from study.storage.result.estimates import estimate
from study.tasks.metrics import classification_metrics
from study.training.encoding import EncodedTask
from study.training.files.artifacts import save_artifacts
from study.training.memory import is_out_of_memory
from study.training.trial import Trial

NOTE = (
    "dev and test are the scores of the weights in this folder, those of the run in the search "
    "with these seeds. "
)
CONFIRMED = (
    "The score of the settings is `confirmed`: the mean and 95 % interval over runs with other "
    "seeds, whose weights are in finalists/weights/."
)
SINGLE = "The settings were chosen by this dev score, which is therefore optimistic."
"""What scores.json says of its numbers."""


def evaluate_winner(
    ledger: StudyLedger,
    winner: TrialRecord,
    info: BackboneInfo,
    data: EncodedTask,
    trial_resources: Resources,
    race: RaceResult | None = None,
) -> None:
    """Evaluates the winner's weights on the test split, once, and writes best.yaml and best/.

    The evaluation runs in a Ray worker with the resources of a trial; one without a sign of life
    is killed, and the evaluation tried again. `race`, the result of the race of finalists, is
    journalled with the scores.

    Raises:
        OSError: the files cannot be written, by the driver or the worker.
        MemoryError: there is too little memory, or Ray has tried several workers and all were
            killed.
    """
    spec = resolve(ledger.spec, winner.params, winner.seeds)
    remote = ray.remote(_evaluate).options(
        num_cpus=trial_resources.cpus, num_gpus=trial_resources.gpus
    )
    result = remote.remote(spec, info, ray.put(data), ledger.folder, winner, trial_resources)
    try:
        stall_minutes = ledger.spec.resources.stall_minutes
        scores = result_of(result, ledger, winner.number, stall_minutes)
    except (RayTaskError, OutOfMemoryError, WorkerCrashedError) as error:
        raise _cause(error, winner.number, ledger.folder.best) from error
    write_best_spec(ledger.folder, spec)
    summary = {
        "trial": winner.number,
        **scores,
        "seeds": winner.seeds,
        "confirmed": _confirmed(race),
        "note": NOTE + (CONFIRMED if race else SINGLE),
    }
    with replacing(ledger.folder.scores) as file:
        file.write((json.dumps(summary, indent=2) + "\n").encode())
    for written in (ledger.folder.best_spec, *ledger.folder.best.iterdir()):
        sync(written)
    sync_names(ledger.folder.best)
    ledger.append(WinnerEvaluated(trial=winner.number, **scores, race=race))


def _confirmed(race: RaceResult | None) -> dict[str, dict[str, float | int | None]] | None:
    """Returns the scores of the runs that confirm a winner; None without a race."""
    if race is None:
        return None
    known = [
        estimate(name, values) for split in (race.dev, race.test) for name, values in split.items()
    ]
    return {
        one.metric: {"mean": one.mean, "low": one.low, "high": one.high, "runs": one.count}
        for one in known
        if one is not None
    }


def _cause(error: BaseException, winner: int, best: Path) -> BaseException:
    """Returns the error as the evaluation would raise it in the driver; a bug is unchanged."""
    cause: BaseException = (error.cause or error) if isinstance(error, RayTaskError) else error
    # First, as ENOMEM is an OSError too.
    if isinstance(cause, OutOfMemoryError | WorkerCrashedError) or is_out_of_memory(cause):
        return MemoryError(
            f"the winner (trial {winner}) could not be evaluated: {error_summary(error)}"
        )
    if isinstance(cause, OSError):
        return cause
    if isinstance(cause, SafetensorError) and (code := re.search(r"os error (\d+)", str(cause))):
        number = int(code[1])
        return OSError(number, os.strerror(number), str(best))
    return error


def write_best_spec(folder: StudyFolder, spec: StudySpec) -> None:
    """Writes the winner's resolved spec, a space with a single trial."""
    with replacing(folder.best_spec) as file:
        file.write(dump_spec(single_trial(spec)).encode())


def _evaluate(
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    folder: StudyFolder,
    winner: TrialRecord,
    trial_resources: Resources,
) -> dict[str, dict[str, float | None]]:
    heartbeat = Heartbeat(folder, winner.number)
    backbone = load_backbone(
        info,
        num_labels=data.num_labels,
        dtype=spec.backbone.dtype,
        random_seed=spec.backbone.random_seed,
    )
    trial, params = Trial(spec, backbone, data, trial_resources.device), winner.params
    trial.on_batch = heartbeat.beat
    saved, _ = load(folder, winner.number, lambda s: bool(s["params"].items() <= params.items()))
    if saved is not None:
        trial.load_state_dict(saved["trial"])
    # Without a checkpoint the same seeds give the same weights again.
    trial.train_until(trial.plan.total_steps)
    save_artifacts(trial, folder.best)
    predictions = predict(trial)
    write_predictions(folder.predictions, predictions)
    return scores_of(predictions)


def scores_of(predictions: Predictions) -> dict[str, dict[str, float | None]]:
    """Returns split -> metric, as dev_mcc -> score; None for one that does not exist.

    So it is in scores.json as in the journal: JSON has no NaN.
    """
    return {
        name: {
            f"{name}_{metric}": value if math.isfinite(value) else None
            for metric, value in classification_metrics(split.logits, split.labels).items()
        }
        for name, split in predictions.splits.items()
    }


def predict(trial: Trial) -> Predictions:
    """Returns the logits of a trained trial on dev and test, with the labels."""
    data = trial.data
    splits = {name: getattr(data, name) for name in SPLITS}
    return Predictions(
        {name: SplitPredictions(trial.logits(s), s.labels) for name, s in splits.items()},
        data.classes or tuple(map(str, range(data.num_labels))),
    )
