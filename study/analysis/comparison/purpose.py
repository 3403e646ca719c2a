"""spec.yaml of a comparison folder: what its runs were made for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.spec.loading import read_document

SPEC, FINALISTS = "spec.yaml", "finalists"
DEFAULT = "mcc"
"""The metric of a search that names none, and of a folder without spec.yaml."""


@dataclass(frozen=True)
class Asked:
    """What spec.yaml says, or what is assumed without it."""

    is_race: bool = False
    """Whether these very runs were to choose among the configurations."""
    metric: str = DEFAULT
    """That the search was for: mcc, say."""


def read_asked(folder: Path) -> Asked:
    """Reads spec.yaml. A comparison names its `seeds`; a race, which goes on by scores, has none.

    Where it does not name configurations, or is not there, a race is known by its folder's name.

    Raises:
        InputError: it is no YAML file of a mapping.
    """
    path = folder / SPEC
    values = read_document(path, str(path)).values if path.is_file() else {}
    configurations = values.get("configurations")
    if not isinstance(configurations, dict) or not configurations:
        return Asked(folder.absolute().name == FINALISTS, DEFAULT)
    return Asked("seeds" not in values, _metric(next(iter(configurations.values()))))


def preferred(asked: Sequence[Asked], folders: Sequence[Path]) -> tuple[str, str]:
    """Returns the columns of the metric that was searched for: on the test split, else on dev.

    Raises:
        InputError: the folders are of different metrics.
    """
    first = asked[0].metric
    for one, folder in zip(asked, folders, strict=True):
        if one.metric != first:
            raise InputError(
                f"{folder}: its search must be for the metric of {folders[0]}, {first}, but is "
                f"for {one.metric}; name the column that all are compared by with --metric"
            )
    return f"test_{first}", f"dev_{first}"


def _metric(configuration: Any) -> str:
    search = configuration.get("search") if isinstance(configuration, dict) else None
    return str(search.get("metric", DEFAULT)) if isinstance(search, dict) else DEFAULT
