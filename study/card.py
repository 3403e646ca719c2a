"""Measures an OPT backbone for its model card: `python -m study.card --task DIR [DIR ...]`.

Compares LoRA on the frozen backbone, LoRA on random weights and 5-mer logistic regression. The
learning rate is chosen by the dev MCC at the last step; the table has the scores of that run.
Exit status: 0 done, 1 a storage error, 2 bad input, 130 interrupted.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import (
    DONE,
    HelpWithDefaults,
    Parser,
    exit_with,
    path_option,
    path_text,
    run_command,
)
from study.errors import InputError

if TYPE_CHECKING:
    from study.models import Backbone
    from study.spec import StudySpec
    from study.training.encoding import EncodedTask

COLUMNS = ("task", "model", "learning rate", "dev MCC", "dev AUC", "test MCC", "test AUC")
SCORES = ("dev_mcc", "dev_auc", "test_mcc", "test_auc")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = Parser.of(
        "card",
        "Compare LoRA on a frozen OPT backbone with random weights and with 5-mers.",
        ["--task my/folder", "--task my/folder --backbone my/backbone --lr 1e-3 2e-3 5e-3"],
        HelpWithDefaults,
    )
    add = parser.add_argument
    add(
        "--task",
        nargs="+",
        type=path_option,
        required=True,
        help="folders of train, dev and test tables",
    )
    add(
        "--backbone",
        type=path_text,
        default="opt-dna-mini",
        help="an embedded name, a folder or a hub id",
    )
    add("--lr", nargs="+", type=float, default=[2e-3, 5e-3], help="learning rates to choose from")
    add("--steps", type=int, default=900, help="optimizer steps of each run")
    add("--batch-size", type=int, default=16, help="sequences per step")
    add("--seed", type=int, default=0, help="seed of head, adapters, data order, random weights")
    add("--threads", type=int, default=2, help="CPU threads")
    return parser


def run(options: argparse.Namespace) -> int:
    """Prints the table of scores."""
    from study.engine.preparation import prepare_data
    from study.models.info import inspect_backbone
    from study.tasks import load_task
    from study.tasks.baselines import kmer_logistic_regression

    for name, value in (("--steps", options.steps), ("--batch-size", options.batch_size)):
        if value < 1:
            raise InputError(f"{name}: must be at least 1, but got {value}; give a larger value")
    family = inspect_backbone(options.backbone).family
    if family != "opt":
        raise InputError(
            f"--backbone: must be of the opt family, but got {family}; choose another"
        )
    specs = [_spec(options, path) for path in options.task]
    prepared = [(load_task(spec.task), *prepare_data(spec)) for spec in specs]

    import torch

    from study.models import load_backbone
    from study.models.pretraining.decoder import draw_weights

    torch.set_num_threads(options.threads)
    _print_row(COLUMNS)
    _print_row(["---"] * len(COLUMNS))
    for spec, (task, info, data) in zip(specs, prepared, strict=True):
        scores = kmer_logistic_regression(task)
        _print_scores(task.name, "5-mer logistic regression", "", scores)
        backbone = load_backbone(info, num_labels=data.num_labels, dtype="float32")
        _print_scores(task.name, f"{info.name}, LoRA", *_best(options.lr, spec, data, backbone))
        draw_weights(backbone.model, info.layers, torch.Generator().manual_seed(options.seed))
        _print_scores(task.name, "random weights, LoRA", *_best(options.lr, spec, data, backbone))
    return DONE


def _spec(options: argparse.Namespace, path: Path) -> "StudySpec":
    from study.spec import StudySpec

    seed = options.seed
    return StudySpec.model_validate(
        {
            "backbone": {"name": options.backbone},
            "task": {"path": path.resolve()},
            "adapter": {"method": "lora", "rank": 8, "alpha": 16.0},
            "training": {"steps": options.steps, "batch_size": options.batch_size, "reports": 1},
            "seeds": {"init": seed, "data": seed},
        }
    )


def _best(
    rates: Sequence[float], spec: "StudySpec", data: "EncodedTask", backbone: "Backbone"
) -> tuple[str, dict[str, float]]:
    """Returns the learning rate with the best dev MCC, and the dev and test scores of its run."""
    import torch

    from study.training.trial import Trial

    best: tuple[str, dict[str, float]] = ("", {"dev_mcc": -2.0})
    for rate in rates:
        training = spec.training.model_copy(update={"lr": rate})
        trial = Trial(
            spec.model_copy(update={"training": training}), backbone, data, torch.device("cpu")
        )
        trial.train_until(spec.training.steps or 0)
        scores = _prefixed("dev", trial.evaluate(data.dev))
        if scores["dev_mcc"] > best[1]["dev_mcc"]:
            best = (f"{rate:g}", scores | _prefixed("test", trial.evaluate(data.test)))
        trial.close()
    return best


def _prefixed(split: str, metrics: dict[str, float]) -> dict[str, float]:
    return {f"{split}_{name}": value for name, value in metrics.items()}


def _print_scores(task: str, model: str, rate: str, scores: dict[str, float]) -> None:
    _print_row([task, model, rate, *(f"{scores[name]:.3f}" for name in SCORES)])


def _print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    exit_with(main)
