"""Predicts classes of sequences with the winner of a study: `python -m study.predict DIR FILE`.

DIR is a study folder, `<storage>/<name>/`; FILE a csv, tsv, FASTA or parquet file, with labels or
without. The csv with a probability for each class is printed, or written to --out, when all rows
are predicted. Exit status: 0 done, 1 a storage error, 2 bad input, 130 interrupted.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TextIO

from study.cli import DONE, Parser, exit_with, path_option, run_command
from study.errors import InputError

if TYPE_CHECKING:
    from study.engine.stored_winner import StoredWinner
    from study.predict.logits import LogitsFile
    from study.predict.progress import Progress
    from study.predict.rows import Checked, Rows
    from study.spec import StudySpec
    from study.training.prediction.inputs import Inputs

OVERLAP = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.overlap is not None and not options.windows:
        parser.error("--overlap is of windows, so --windows must be given too")
    if options.overlap is not None and not 0 <= options.overlap < 1:
        parser.error(f"--overlap must be in [0, 1), but got {options.overlap:g}")
    if options.batch_size is not None and options.batch_size < 1:
        parser.error(f"--batch-size must be at least 1, but got {options.batch_size}")
    return run_command(run, options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser.of(
        "predict",
        "Predict the classes of sequences with the winner of a study.",
        [
            "runs/adalora_rs new.fa --out predicted.csv",
            "runs/adalora_rs new.csv.gz --seeds all --out predicted.csv",
            "runs/adalora_rs genes.fa --windows --overlap 0.25 > predicted.csv",
        ],
    )
    add = parser.add_argument
    add("study", metavar="DIR", type=path_option, help="a study folder")
    add("file", metavar="FILE", type=path_option, help="csv, tsv or FASTA, also .gz, or parquet")
    add("--out", metavar="CSV", type=path_option, help="a new file (default: standard output)")
    text = "one: the weights in best/; all: the mean over the seeds that confirm the winner"
    add("--seeds", choices=("one", "all"), default="one", help=text)
    text = "read longer sequences in windows, and average their probabilities"
    add("--windows", action="store_true", help=text)
    text = f"share of a window that the next one repeats ({OVERLAP})"
    add("--overlap", type=float, metavar="F", help=text)
    add("--sequence-column", metavar="NAME", help="the column of sequences (the study's)")
    add("--batch-size", type=int, metavar="N", help="sequences at once (the study's)")
    add("--quiet", action="store_true", help="no progress")
    return parser


def run(options: argparse.Namespace) -> int:
    """Predicts all rows; prints remarks and scores on standard error."""
    from study.engine.stored_winner import StoredWinner

    out = None if options.out is None else options.out.absolute()
    _check_out(out, options.file.absolute())
    winner = StoredWinner.read(options.study.absolute())
    runs = winner.runs(confirming=options.seeds == "all")
    rows, inputs = _rows(winner, options)
    checked = rows.check()
    _print_remarks(checked, inputs, options.quiet)
    with ExitStack() as stack:
        files = _predict(winner, runs, rows, inputs, checked, options, stack)
        _write(out, rows, winner, files)
        if checked.labelled and checked.unknown is None:
            _print_scores(rows, files, checked)
    return DONE


def _check_out(out: Path | None, file: Path) -> None:
    if out is None:
        return
    if out.is_dir() or out == file:
        found = "a folder" if out.is_dir() else "the file with the sequences"
        raise InputError(f"--out {out}: must be a new file, but got {found}; choose another name")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        found = "one that is not writable" if out.parent.is_dir() else "none"
        raise InputError(
            f"--out {out}: must be in an existing folder, but got {found}; choose another"
        )


def _rows(winner: "StoredWinner", options: argparse.Namespace) -> "tuple[Rows, Inputs]":
    """Returns the rows of the file and how the winner reads them."""
    from study.predict.rows import Rows
    from study.training.prediction.inputs import Inputs

    spec = winner.spec
    columns = spec.task.columns
    if options.sequence_column is not None:
        columns = columns.model_copy(update={"sequence": options.sequence_column})
    overlap = (options.overlap if options.overlap is not None else OVERLAP) * options.windows
    inputs = Inputs(spec.task, winner.info, overlap if options.windows else None)
    rows = Rows(options.file.absolute(), columns, inputs, winner.classes, winner.labels)
    return rows, inputs


def _print_remarks(checked: "Checked", inputs: "Inputs", quiet: bool) -> None:
    if checked.cut and not quiet:
        _say(
            f"warning: {checked.cut:,} of {checked.rows:,} sequences are cut to {inputs.limit} "
            "tokens, as in the study; --windows reads all of them"
        )
    if checked.labelled and checked.unknown is not None and not quiet:
        _say(f"no scores: the label {checked.unknown!r:.60} is no class of the study")


def _predict(
    winner: "StoredWinner",
    runs: "Mapping[Path, StudySpec]",
    rows: "Rows",
    inputs: "Inputs",
    checked: "Checked",
    options: argparse.Namespace,
    stack: ExitStack,
) -> "list[LogitsFile]":
    """Returns the logits of all rows by each of the runs, one model after the other in memory."""
    from study.predict.logits import LogitsFile
    from study.predict.progress import Progress

    progress = Progress(checked.rows * len(runs), options.quiet)
    folder = None if options.out is None else options.out.absolute().parent
    files = []
    for weights, spec in runs.items():
        # Such a file has no name: it is gone when the process ends, however that happens.
        temporary = stack.enter_context(TemporaryFile(dir=folder))  # noqa: SIM115
        file = LogitsFile(temporary, winner.labels)
        files.append(file)
        _fill(file, winner, weights, spec, rows, inputs, options.batch_size, progress)
        if file.rows != checked.rows:
            raise InputError(
                f"{rows.path}: must stay as it is while it is read, but got {file.rows:,} rows "
                f"after {checked.rows:,}; start again"
            )
    progress.end()
    return files


def _fill(
    file: "LogitsFile",
    winner: "StoredWinner",
    weights: Path,
    spec: "StudySpec",
    rows: "Rows",
    inputs: "Inputs",
    batch_size: int | None,
    progress: "Progress",
) -> None:
    """Writes the logits of all rows by the weights of one run."""
    from study.training.memory import is_out_of_memory
    from study.training.prediction.predictor import Predictor

    prepared, info = winner.load(weights, spec)
    predictor = Predictor(spec, prepared, info, winner.classes, inputs, batch_size)
    try:
        for part in rows.parts():
            file.append(predictor.logits(part.sequences))
            progress.add(len(part.sequences))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        used = batch_size or spec.training.eval_batch_size
        raise InputError(
            f"--batch-size: must be so small that {used} sequences fit into the memory of "
            f"{predictor.device}, but got too many; set --batch-size {max(1, used // 4)}"
        ) from error


def _write(
    out: Path | None, rows: "Rows", winner: "StoredWinner", files: "Sequence[LogitsFile]"
) -> None:
    from study.predict.table import write_table

    with _opened(out) as file:
        write_table(file, rows, winner.classes, files, winner.labels)


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """Yields standard output, or a file that appears at `out` when it is complete."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    from study.storage.durable import replacing

    with replacing(out) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()


def _print_scores(rows: "Rows", files: "Sequence[LogitsFile]", checked: "Checked") -> None:
    from study.predict.table import scores

    found = "  ".join(f"{name} {value:.4f}" for name, value in scores(rows, files).items())
    _say(f"scores on {checked.rows:,} labelled rows: {found}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    exit_with(main)
