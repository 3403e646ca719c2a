"""Pre-trains a small backbone on DNA, e.g. opt-dna-mini: `python -m study.pretrain …`.

Exit status: 0 done, 1 a storage error, 2 bad input, 130 interrupted; the same command with
--resume continues.
"""

import argparse
import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from study.cli import (
    DONE,
    INTERRUPTED,
    HelpWithDefaults,
    Parser,
    exit_with,
    path_option,
    run_command,
)
from study.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from study.models.pretraining.loop import LoopProgress, PretrainingLoop


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Trains the backbone until it is done or interrupted."""
    _check(options)
    import torch

    from study.models.pretraining.corpus import read_corpus
    from study.models.pretraining.loop import train

    torch.set_num_threads(options.threads)
    corpus = read_corpus(options.data, options.exclude, options.held_out, options.seed, _print)
    options.out.mkdir(parents=True, exist_ok=True)
    corpus.write(options.out / "text.json", same=options.resume)
    tokenizer = _tokenizer(options, corpus.train)
    loop = _loop(options)
    parameters = sum(p.numel() for p in loop.model.parameters())
    _print(f"{parameters:,} parameters, from step {loop.step}")
    with _Interrupt() as interrupt, _Reporter(loop.settings.steps, loop.step) as report:
        done = train(loop, corpus, tokenizer, options.out, report, interrupt.requested)
    if not done:
        _print(f"stopped after step {loop.step}; to resume, add --resume to the same command")
        return INTERRUPTED
    _print(f"weights, tokenizer and curve.jsonl are in {options.out}")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser.of(
        "pretrain",
        "Pre-train a small OPT decoder on DNA: one sequence per line, plain or .gz.",
        [
            "--data genome.txt.gz --out my/backbone",
            "--data genome.txt.gz --out my/backbone --resume",
        ],
        HelpWithDefaults,
    )
    add = parser.add_argument
    add(
        "--data",
        nargs="+",
        action="extend",
        type=path_option,
        required=True,
        help="files, or folders of .txt[.gz]",
    )
    add(
        "--out",
        type=path_option,
        required=True,
        help="folder of weights, tokenizer and checkpoint",
    )
    add(
        "--exclude", nargs="*", type=path_option, default=[], metavar="CSV",
        help="exclude lines that share 50 bases, on either strand, with these sequences",
    )  # fmt: skip
    add("--resume", action="store_true", help="continue from the checkpoint in --out")
    add("--steps", type=int, default=8000, help="optimizer steps in total")
    add("--batch-size", type=int, default=16, help="rows of --positions tokens per step")
    add("--lr", type=float, default=2e-3, help="highest learning rate")
    add("--warmup", type=int, default=200, help="steps of rising learning rate")
    add("--decay", type=float, default=0.9, help="last fraction of the steps, with falling rate")
    add("--weight-decay", type=float, default=0.05, help="weight decay of matrices")
    add("--max-grad-norm", type=float, default=1.0, help="gradients are clipped to this norm")
    add("--precision", choices=("bf16", "fp32"), default="bf16", help="of the matrix products")
    add("--vocab-size", type=int, default=128, help="tokens, special ones included")
    add("--hidden-size", type=int, default=160, help="width, a multiple of --heads")
    add("--layers", type=int, default=4, help="decoder layers")
    add("--heads", type=int, default=5, help="attention heads")
    add("--positions", type=int, default=320, help="tokens per row, the model's maximum")
    add("--held-out", type=float, default=0.01, help="fraction of lines not trained on")
    add(
        "--evaluate-every", type=int, default=250, help="steps between evaluations and checkpoints"
    )
    add("--seed", type=int, default=0, help="seed of weights, split, order and strands")
    add("--threads", type=int, default=2, help="CPU threads")
    return parser


def _check(options: argparse.Namespace) -> None:
    rules = [
        ("--steps", options.steps >= 1, "at least 1"),
        ("--batch-size", options.batch_size >= 1, "at least 1"),
        ("--lr", options.lr > 0, "above 0"),
        ("--warmup", options.warmup >= 0, "at least 0"),
        ("--decay", 0 < options.decay <= 1, "above 0 and at most 1"),
        ("--vocab-size", 16 <= options.vocab_size < 65536, "from 16 to 65535"),
        ("--layers", options.layers >= 1, "at least 1"),
        ("--heads", options.heads >= 1, "at least 1"),
        (
            "--hidden-size",
            options.heads >= 1 and options.hidden_size % options.heads == 0 < options.hidden_size,
            "a multiple of --heads",
        ),
        ("--positions", options.positions >= 8, "at least 8"),
        ("--held-out", 0 < options.held_out < 1, "between 0 and 1"),
        ("--evaluate-every", options.evaluate_every >= 1, "at least 1"),
        ("--threads", options.threads >= 1, "at least 1"),
    ]
    for name, holds, rule in rules:
        if not holds:
            value = getattr(options, name[2:].replace("-", "_"))
            raise InputError(f"{name}: must be {rule}, but got {value}; give another value")
    checkpoint = options.out / "checkpoint.pt"
    if options.resume and not checkpoint.is_file():
        raise InputError(f"{checkpoint}: must exist for --resume, but got none; omit --resume")
    if not options.resume and checkpoint.exists():
        raise InputError(
            f"{options.out}: must not contain another run, but got its checkpoint; add --resume "
            "to continue it, or use another --out"
        )


def _tokenizer(options: argparse.Namespace, lines: list[str]) -> "Tokenizer":
    """Returns the tokenizer in --out when resuming, else a new one, saved there."""
    from tokenizers import Tokenizer

    from study.models.pretraining.bpe import save_tokenizer, train_tokenizer

    if options.resume:
        return Tokenizer.from_file(str(options.out / "tokenizer.json"))
    tokenizer = train_tokenizer(lines, options.vocab_size, options.seed)
    save_tokenizer(tokenizer, options.out, options.positions)
    return tokenizer


def _loop(options: argparse.Namespace) -> "PretrainingLoop":
    """Returns a new training loop, or with --resume the one saved in --out.

    Raises:
        InputError: settings other than the learning-rate schedule differ from the saved ones.
    """
    from study.models.pretraining.decoder import Shape
    from study.models.pretraining.loop import PretrainingLoop, Settings

    names = Settings.__dataclass_fields__
    settings = Settings(**{name: getattr(options, name) for name in names})
    shape = Shape(**{name: getattr(options, name) for name in Shape.__dataclass_fields__})
    loop = PretrainingLoop(settings, shape)
    path = options.out / "settings.json"
    values = json.loads(json.dumps({**asdict(settings), **asdict(shape)}))
    if options.resume:
        before = json.loads(path.read_text())
        schedule = ("steps", "lr", "decay")
        changed = [k for k in values if k not in schedule and before.get(k) != values[k]]
        if changed:
            raise InputError(
                f"--resume: settings must be those of {path}, but got other values of {changed}; "
                "restore them, or use another --out"
            )
        loop.load(options.out / "checkpoint.pt")
    path.write_text(json.dumps(values, indent=2) + "\n")
    return loop


class _Interrupt:
    """Makes the first Ctrl-C a request to stop after the step; the second stops immediately."""

    def __init__(self) -> None:
        self._requested = False

    def __enter__(self) -> "_Interrupt":
        self._before = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def requested(self) -> bool:
        return self._requested

    def _request(self, *_: object) -> None:
        self._requested = True
        signal.signal(signal.SIGINT, self._before)


class _Reporter:
    """Prints a line per evaluation, and in a terminal shows a progress bar."""

    def __init__(self, steps: int, first: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        console = Console()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("pre-training", total=steps, completed=first)

    def __enter__(self) -> "Callable[[LoopProgress], None]":
        self._bar.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _report(self, now: "LoopProgress") -> None:
        self._bar.update(self._task, completed=now.step, description=f"loss {now.loss:.3f}")
        if now.bits_per_base is not None:
            line = f"step {now.step}  loss {now.loss:.3f}  lr {now.lr:.1e}  {now.seconds:.0f} s"
            self._bar.console.print(f"{line}  held out {now.bits_per_base:.4f} bits per base")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    exit_with(main)
