"""What the journal says of the data: a row a split, and what the splits share."""

from dataclasses import dataclass
from typing import Any

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING


@dataclass(frozen=True)
class DataTable:
    """Columns after `split`, a row a split, and remarks below the table."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    remarks: list[str]


def data_table(study: StudyData) -> DataTable | None:
    """Returns the reports on the data; None for a study opened before there were any."""
    quality, tokens = (study.opened.get(name) or {} for name in ("quality", "tokens"))
    sequences, counts = quality.get("splits", {}), tokens.get("splits", {})
    rows = {
        name: _sequences(sequences.get(name, {})) | _tokens(counts.get(name, {}))
        for name in dict.fromkeys([*counts, *sequences])
    }
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if not columns:
        return None
    cells = [(name, [row.get(c, NOTHING) for c in columns]) for name, row in rows.items()]
    return DataTable(columns, cells, [*_shared(quality), *_limit(tokens)])


def _sequences(split: dict[str, Any]) -> dict[str, str]:
    if not split:
        return {}
    rows, (shortest, _, longest) = split["rows"], split["bases"]
    classes = [f"{count / rows:.1%}" for count in split["class_rows"]]
    return {
        "rows": f"{rows:,}",
        "bases": f"{longest}" if shortest == longest else f"{shortest}-{longest}",
        "classes": " / ".join(classes),
        "GC by class (sd)": " / ".join(map(_gc, split["gc_mean"], split["gc_sd"])),
        "copies": str(split["copies"]),
        "on both strands": str(split["reverse_copies"]),
        "different labels": str(split["conflicts"]),
    }


def _gc(mean: float | None, sd: float | None) -> str:
    return NOTHING if mean is None or sd is None else f"{mean:.2f} ({sd:.2f})"


def _tokens(split: dict[str, Any]) -> dict[str, str]:
    if not split:
        return {}
    return {
        "tokens, mean": f"{split['mean']:.1f}",
        "most": str(split["longest"]),
        "cut": f"{split['truncated']:.1%}",
        "unknown": f"{split['unknown']:.1%}",
    }


def _shared(quality: dict[str, Any]) -> list[str]:
    remarks = [
        f"{pair.replace(', ', ' and ')} share {found['same']} sequences, and {found['reverse']} "
        "on the other strand"
        for pair, found in quality.get("shared", {}).items()
        if found["same"] or found["reverse"]
    ]
    if quality.get("conflicts"):
        remarks.append(f"{quality['conflicts']} sequences have different labels")
    if quality.get("dropped"):
        reasons = ", ".join(f"{count} {reason}" for reason, count in quality["dropped"].items())
        remarks.append(f"dropped from train: {reasons}")
    return remarks


def _limit(tokens: dict[str, Any]) -> list[str]:
    if not tokens:
        return []
    source = "the longest sequence" if tokens["measured"] else "task.max_length"
    return [f"a sequence may have {tokens['max_length']} tokens ({source})"]
