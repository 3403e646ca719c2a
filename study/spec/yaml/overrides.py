"""`--set a.b=c`: replaces one leaf of a document."""

from collections.abc import Collection
from typing import Any, get_args

from study.errors import InputError
from study.spec.backbone import CNN, BackboneSpec, CnnSpec
from study.spec.methods import METHOD_SPECS
from study.spec.rules import quoted
from study.spec.samplers import Sampler
from study.spec.schema import SEARCHED
from study.spec.task import PUBLISHED, TaskSpec
from study.spec.yaml.reader import MAX_KEY, Document, KeyPath, Place, parse

_ALTERNATIVES = {
    ("task", "name"): "path",
    ("task", "path"): "name",
    ("training", "epochs"): "steps",
    ("training", "steps"): "epochs",
}
_TASK_KEYS = {*TaskSpec.model_fields, "split_column", "sequence_column", "label_column"}
"""The last three are keys of earlier specs."""
_SAMPLERS = get_args(get_args(Sampler)[0])


def override(document: Document, setting: str, option: str = "--set") -> None:
    """Writes `a.b=c` into `document`; c is read as YAML. Messages name `option`.

    Of two keys that exclude each other, setting one removes the other if it is from the file;
    a path and the name of a published task do not exclude each other. Setting a leaf removes the
    file's points that name it; setting the method removes all of them. Setting a method, a
    sampler or another source removes what the file has for the previous one only. Except for the
    first, `document.notes` has a line for what was removed.

    Raises:
        InputError: no `=`, an empty key or value, a value that is not YAML, a key below a plain
            value.
    """
    source = _label(setting, option)
    dotted, equals, text = setting.partition("=")
    path = tuple(part.strip() for part in dotted.split("."))
    if not equals or not all(path) or max(map(len, path)) > MAX_KEY:
        rule = f"must be of the form a.b=c, but got {quoted(setting)}"
        raise InputError(f"{source}: {rule}; e.g. {option} training.steps=100")
    if not text.strip():  # As of a shell variable that is not set.
        raise InputError(f"{source}: must have a value, but got none; write null for the default")
    value = parse(text, source, numbered=False).values
    section = _section(document, path[:-1], source)
    same = path[-1] in section and section[path[-1]] == value
    _forget(document, path)
    section[path[-1]] = value
    document.places[path] = Place(source)
    _drop_alternative(document, path, value)
    dropped = [] if same else _drop_replaced(document, path, value)
    is_grid = path[:2] == ("search", "sampler") and "grid" in (value, _name(value))
    if path[0] in SEARCHED or is_grid:
        dropped += _drop_points(document, () if is_grid else path[1:])
    if dropped:
        document.notes.append(f"{source}: of {document.source} are left out: {', '.join(dropped)}")


def _label(setting: str, option: str) -> str:
    line = " ".join(f"{option} {setting}".split())
    return line if len(line) <= 90 else line[:87] + "..."


def _section(document: Document, path: tuple[str, ...], source: str) -> dict[str, Any]:
    section = document.values
    for place, key in enumerate(path):
        here = path[: place + 1]
        if section.get(key) is None:
            section[key] = {}
            document.places[here] = Place(source)
        section = section[key]
        if not isinstance(section, dict):
            text = f"must be a mapping, but got {quoted(section)}; leave out the keys below it"
            raise InputError(f"{source}: {'.'.join(here)}: {text}")
    return section  # type: ignore[no-any-return]


def _forget(document: Document, path: tuple[str, ...]) -> None:
    for known in [place for place in document.places if place[: len(path)] == path]:
        del document.places[known]


def _drop_alternative(document: Document, path: tuple[str, ...], value: Any) -> None:
    other = _ALTERNATIVES.get(path)  # type: ignore[arg-type]
    if other is None or value is None:
        return
    section = document.values[path[0]]
    if path[0] == "task" and section.get("name") in PUBLISHED:
        return
    place = document.places.get((path[0], other))
    if place is not None and place.line:  # from the file, not from another override
        section[other] = None


def _name(value: Any) -> Any:
    return value.get("name") if isinstance(value, dict) else None


def _drop_replaced(document: Document, path: tuple[str, ...], value: Any) -> list[str]:
    """Removes the file's keys that the new method, sampler or source does not have."""
    section = document.value(path[:-1])
    keep = _keys_with(path, value)
    dropped = [] if keep is None else [key for key in section if key not in keep]
    dropped = [key for key in dropped if document.place((*path[:-1], key)).line]
    for key in dropped:
        del section[key]
        _forget(document, (*path[:-1], key))
    return [".".join((*path[:-1], key)) for key in dropped]


def _keys_with(path: tuple[str, ...], value: Any) -> Collection[str] | None:
    """Returns the keys that fit the value of the key at `path`; None if all do."""
    if path == ("adapter", "method"):
        fitting = [spec for spec in METHOD_SPECS if spec.model_fields["method"].default == value]
    elif path == ("search", "sampler", "name"):
        fitting = [spec for spec in _SAMPLERS if spec.model_fields["name"].default == value]
    elif path == ("backbone", "name"):
        kind = CnnSpec if value == CNN else BackboneSpec
        return kind.model_fields.keys() - {"revision"}
    elif path == ("task", "path"):
        return _TASK_KEYS - {"revision"}
    elif path == ("task", "name") and value is not None:
        return _TASK_KEYS - ({"split"} if value in PUBLISHED else {"split", "revision"})
    else:
        return None
    return fitting[0].model_fields.keys() if fitting else None


def _drop_points(document: Document, leaf: tuple[str, ...]) -> list[str]:
    """Removes the file's points that name a leaf; all of them for the method or no leaf."""
    points, place = document.values.get("points"), document.places.get(("points",))
    if not isinstance(points, list) or place is None or not place.line:
        return []
    names = {leaf[0], f"{leaf[0]}_ratio"} if leaf and leaf[0] != "method" else None
    stay = [
        number
        for number, point in enumerate(points)
        if names is not None and not (isinstance(point, dict) and names & point.keys())
    ]
    document.values["points"] = [points[number] for number in stay]
    moved: dict[KeyPath, KeyPath] = {
        ("points", number): ("points", new) for new, number in enumerate(stay)
    }
    for path in [path for path in document.places if path[0:1] == ("points",) and path[1:]]:
        place = document.places.pop(path)
        if path[:2] in moved:
            document.places[(*moved[path[:2]], *path[2:])] = place
    gone = len(points) - len(stay)
    return [f"{gone} point{'s' if gone > 1 else ''}"] if gone else []
