"""The data of a study: one table row for each split, and remarks on shared sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING
from study.storage.events import StudyOpened

MOST_IN_A_CELL = 3
"""Classes whose shares are in one cell of the table; more have a table of their own."""
MAX_VALUES = 10
"""How many values of a column a remark shows."""


@dataclass(frozen=True)
class DataTable:
    """The columns after `split`, the rows as (split, cells), and remarks below the table."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    remarks: list[str]
    splits: list[str]
    """The splits of `classes`."""
    classes: list[tuple[str, list[str]]]
    """(class, rows with their share and the GC content of each split); empty with few classes,
    which are in `rows`."""


def data_table(study: StudyData) -> DataTable | None:
    """Returns the table; None for a study whose journal has no report on the data."""
    opened = study.opened or StudyOpened()
    quality: Mapping[str, Any] = opened.quality or {}
    tokens: Mapping[str, Any] = opened.tokens or {}
    sequences, counts = quality.get("splits", {}), tokens.get("splits", {})
    classes = quality.get("classes") or ()
    rows = {
        name: _sequences(sequences.get(name, {}), classes) | _tokens(counts.get(name, {}))
        for name in dict.fromkeys([*counts, *sequences])
    }
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if not columns:
        return None
    cells = [(name, [row.get(c, NOTHING) for c in columns]) for name, row in rows.items()]
    remarks = [*_shared(quality), *_limit(tokens)]
    return DataTable(columns, cells, remarks, [*sequences], _classes(sequences, classes))


def _sequences(split: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Returns the cells of a split; `names` are those of the classes, if they have any."""
    if not split:
        return {}
    rows, (shortest, _, longest) = split["rows"], split["bases"]
    return {
        "rows": f"{rows:,}",
        "length (bases)": f"{longest}" if shortest == longest else f"{shortest}-{longest}",
        **({} if _are_many(split) else _shares(split, names)),
        "duplicates": str(split["copies"]),
        "reverse-complement pairs": str(split["reverse_copies"]),
        "conflicting labels": str(split["conflicts"]),
    }


def _shares(split: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Returns the cells on the classes of a split, if there are few."""
    classes = [f"{count / split['rows']:.1%}" for count in split["class_rows"]]
    return {
        "shares of classes" + (f" ({' / '.join(names)})" if names else ""): " / ".join(classes),
        "GC content by class (sd)": " / ".join(map(_gc, split["gc_mean"], split["gc_sd"])),
    }


def _are_many(split: Mapping[str, Any]) -> bool:
    return len(split["class_rows"]) > MOST_IN_A_CELL


def _classes(
    splits: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Returns a row for each class, if there are many."""
    count = len(splits["train"]["class_rows"]) if "train" in splits else 0
    if count <= MOST_IN_A_CELL:
        return []
    return [
        (names[k] if names else str(k), [cell for one in splits.values() for cell in _of(one, k)])
        for k in range(count)
    ]


def _of(split: Mapping[str, Any], k: int) -> tuple[str, str]:
    """Returns the rows of a class in a split, and their GC content."""
    rows = split["class_rows"][k]
    return f"{rows:,} ({rows / split['rows']:.1%})", _gc(split["gc_mean"][k], split["gc_sd"][k])


def _gc(mean: float | None, sd: float | None) -> str:
    return NOTHING if mean is None or sd is None else f"{mean:.2f} ({sd:.2f})"


def _tokens(split: Mapping[str, Any]) -> dict[str, str]:
    if not split:
        return {}
    return {
        "tokens (mean)": f"{split['mean']:.1f}",
        "tokens (max)": str(split["longest"]),
        "truncated": f"{split['truncated']:.1%}",
        "unknown tokens": f"{split['unknown']:.1%}",
    }


def _shared(quality: Mapping[str, Any]) -> list[str]:
    remarks = [
        f"sequences shared by {pair.replace(', ', ' and ')}: {shared['same']}, and "
        f"{shared['reverse']} more as reverse complements"
        for pair, shared in quality.get("shared", {}).items()
        if shared["same"] or shared["reverse"]
    ]
    remarks += _near(quality.get("near") or {})
    if quality.get("conflicts"):
        remarks.append(f"sequences with conflicting labels: {quality['conflicts']}")
    if quality.get("drawn"):
        how = quality.get("assignment") or {}
        counts = quality["drawn"].items()
        drawn = [f"{count} {split}{_drawn_by(how, split)}" for split, count in counts]
        remarks.append(f"drawn from train by task.split: {', '.join(drawn)}")
    if quality.get("rna"):
        rows = ", ".join(f"{count} {split}" for split, count in quality["rna"].items())
        remarks.append(f"sequences of RNA, in which U is read as T: {rows}")
    if quality.get("dropped"):
        reasons = ", ".join(f"{count} {reason}" for reason, count in quality["dropped"].items())
        remarks.append(f"dropped from train: {reasons}")
    return remarks


def _near(near: Mapping[str, Any]) -> list[str]:
    if not near:
        return []
    if skipped := near.get("bases_not_searched"):
        return [f"near copies were not looked for in {skipped:,} bases; task.dedup: near does"]
    measure = f"Jaccard similarity of {near['k']}-mers >= {near['jaccard']:g}"
    counts = f"{near['dev']} of dev and {near['test']} of test"
    return [f"sequences with a near copy in train ({measure}): {counts}"]


def _drawn_by(how: Mapping[str, Any], split: str) -> str:
    """Returns the values that a split was given, or its number of groups."""
    if values := how.get("values", {}).get(split):
        shown = list(values)
        return f" ({', '.join(shown[:MAX_VALUES])}{', ..' if len(shown) > MAX_VALUES else ''})"
    groups = how.get("groups", {}).get(split)
    return f" (of {groups} groups)" if groups else ""


def _limit(tokens: Mapping[str, Any]) -> list[str]:
    if not tokens:
        return []
    source = "the longest sequence" if tokens["measured"] else "task.max_length"
    return [f"maximum length: {tokens['max_length']} tokens ({source})"]
