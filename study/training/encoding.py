"""A task as the tokens of one backbone, both strands where the task asks for them.

Imports no torch, so that bad data is refused before anything heavy is loaded.
"""

from collections.abc import Sequence

from study.errors import InputError
from study.models.inspect import BackboneInfo
from study.models.tokenization import Tokenizer, load_tokenizer
from study.spec import TaskSpec
from study.tasks import Task
from study.tasks.task import reverse_complement
from study.training.encoded import EncodedSplit, EncodedTask, encode_split
from study.training.tokens import TokenReport, count_tokens

OTHER = "{}, other strand"
Rows = list[list[int]]


def encode_task(spec: TaskSpec, info: BackboneInfo, task: Task) -> EncodedTask:
    """Tokenises the splits; rows longer than `spec.max_length`, if it is set, lose their end.

    The other strand is tokenised where the spec wants it, and counts for the longest row: byte
    pairs read it as other tokens, and as another number of them.

    Raises:
        InputError: a sequence has an unknown token or none at all; rows have more tokens than
            the backbone has positions.
    """
    tokenizer = load_tokenizer(info)
    rows = _tokenised(spec, tokenizer, task)
    lengths = {name: list(map(len, part)) for name, part in rows.items()}
    longest = max(max(part) for part in lengths.values())
    limit = spec.max_length or longest
    _check_positions(spec, info, task, limit, longest)
    counts = {name: count_tokens(part, limit) for name, part in lengths.items()}
    report = TokenReport(limit, spec.max_length is None, counts)
    encoded = {
        name: _encode(tokenizer, limit, split.labels, rows[name], rows.get(OTHER.format(name)))
        for name, split in task.splits()
    }
    return EncodedTask(
        task.name,
        task.num_labels,
        tokenizer.pad_id,
        **encoded,
        tokens=report,
        quality=task.quality,
    )


def _tokenised(spec: TaskSpec, tokenizer: Tokenizer, task: Task) -> dict[str, Rows]:
    rows = {}
    for name, split in task.splits():
        rows[name] = _rows(tokenizer, f"{task.name}, {name}", split.sequences)
        if spec.augments_rc if name == "train" else spec.averages_rc:
            other = OTHER.format(name)
            reverse = list(map(reverse_complement, split.sequences))
            rows[other] = _rows(tokenizer, f"{task.name}, {other}", reverse)
    return rows


def _rows(tokenizer: Tokenizer, where: str, sequences: Sequence[str]) -> Rows:
    try:
        return tokenizer(sequences)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check_positions(
    spec: TaskSpec, info: BackboneInfo, task: Task, limit: int, longest: int
) -> None:
    if info.max_positions is not None and limit > info.max_positions:
        raise InputError(
            f"task.max_length: sequences must fit the {info.max_positions} positions of "
            f"{info.name}, but {task.name} has up to {longest} tokens"
            + (f" and max_length is {limit}" if spec.max_length else "")
            + f"; set task.max_length to {info.max_positions} to cut them, or use a backbone with "
            "more positions"
        )


def _encode(
    tokenizer: Tokenizer, limit: int, labels: Sequence[int], rows: Rows, other: Rows | None
) -> EncodedSplit:
    def cut(part: Rows) -> Rows:
        return [tokenizer.cut(row, limit) for row in part]

    twin = None if other is None else encode_split(cut(other), labels)
    return encode_split(cut(rows), labels, twin)
