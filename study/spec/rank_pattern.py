"""`adapter.rank_pattern`: a rank for every adapted layer, by the name of its module.

In a space it is a mapping, a YAML or JSON file with one, or the folder of a study, whose winner's
final ranks are meant. It is embedded when the space is read: a stored spec needs no other file.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from study.errors import InputError, instead_of
from study.spec.rules import quoted, refusal
from study.spec.yaml.reader import Document, parse, read_text

MAX_RANK = 10**4
_TRACE = Path("best", "budget_trace.json")
"""In a study's folder: the mask events of its winner."""
_KEYS = ("ranks", "rank_pattern")
"""Keys of a file below which the ranks may be: those of `study.export --to rank-pattern`."""


def _checked(given: object) -> tuple[tuple[str, int], ...]:
    """Returns the layers with their ranks; a tuple, so that a spec can be hashed."""
    items: Any = given.items() if isinstance(given, Mapping) else given
    if not isinstance(given, Mapping | tuple) or not items:
        raise refusal(
            "must be a mapping of layers to ranks, a file with one or a study's folder, but got "
            f"{quoted(given)}; write for example {{model.decoder.layers.0.fc1: 4}}"
        )
    for name, rank in items:
        whole = isinstance(rank, int) and not isinstance(rank, bool)
        if not isinstance(name, str) or not whole or not 0 <= rank <= MAX_RANK:
            raise refusal(
                f"ranks must be whole numbers from 0 to {MAX_RANK} by the names of layers, but "
                f"got {quoted(rank)} for {quoted(name)}; 0 leaves a layer as it is"
            )
    if not any(rank for _, rank in items):
        raise refusal("must have a rank of at least 1 in some layer, but got 0 in all; raise one")
    return tuple(items)


RankPattern = Annotated[
    tuple[tuple[str, int], ...],
    PlainValidator(_checked, json_schema_input_type=dict[str, int]),
    PlainSerializer(dict, return_type=dict[str, int]),
]


def pattern_text(ranks: Mapping[str, int]) -> str:
    """Returns a pattern as one word for tables; equal for equal patterns only.

    Example:
        >>> pattern_text({"a": 2, "b": 0, "c": 4})
        '6-in-2-layers-9f50d1'
    """
    digest = hashlib.sha256(json.dumps(sorted(ranks.items())).encode()).hexdigest()[:6]
    layers = sum(rank > 0 for rank in ranks.values())
    return f"{sum(ranks.values())}-in-{layers}-layers-{digest}"


def shortened(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns settings with their pattern, if there is one, as one word."""
    ranks = settings.get("rank_pattern")
    return settings if ranks is None else settings | {"rank_pattern": pattern_text(ranks)}


def embed_rank_pattern(document: Document) -> None:
    """Replaces the absolute path in a space's `adapter.rank_pattern` by the ranks there.

    Raises:
        InputError: there are no ranks.
    """
    adapter = document.values.get("adapter")
    given = adapter.get("rank_pattern") if isinstance(adapter, dict) else None
    if not isinstance(given, str) or not given:
        return
    where = f"{document.place(('adapter', 'rank_pattern'))}: adapter.rank_pattern: "
    path = Path(given)
    adapter["rank_pattern"] = (
        ranks_of_study(path, where) if path.is_dir() else _of_file(path, where)
    )


def ranks_of_study(folder: Path, where: str) -> Mapping[str, int]:
    """Returns the rank of every layer after the last mask event of a study's winner.

    Raises:
        InputError: it has no such ranks; the message begins with `where`.
    """
    trace = folder / _TRACE
    if not trace.is_file():
        raise InputError(
            f"{where}must be the folder of a finished study whose winner prunes, with {_TRACE}, "
            f"but got {instead_of(trace)}; give a study of adalora_rs or adalora"
        )
    try:
        ranks: dict[str, int] = json.loads(trace.read_text(encoding="utf-8"))[-1]["ranks"]
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(
            f"{where}{trace} must have the ranks of mask events, but got none; restore the file"
        ) from None
    adapter = _read(folder / "best.yaml").get("adapter") or {}
    return dict.fromkeys(adapter.get("rank_pattern") or {}, 0) | ranks


def _of_file(file: Path, where: str) -> Mapping[str, int]:
    if not file.is_file():
        raise InputError(
            f"{where}must be a YAML or JSON file, or the folder of a study, but got "
            f"none at {file}; correct the path"
        )
    values = _read(file)
    for key in _KEYS:
        if isinstance(values, dict) and isinstance(values.get(key), dict):
            values = values[key]
    if not isinstance(values, dict):
        raise InputError(
            f"{where}{file} must map names of layers to ranks, but got {quoted(values)}; write "
            "it with study.export --to rank-pattern"
        )
    return values


def _read(path: Path) -> Any:
    return parse(read_text(path, str(path)), str(path)).values
