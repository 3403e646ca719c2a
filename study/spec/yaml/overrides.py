"""`--set a.b=c`: replaces one leaf of a document."""

from typing import Any

from study.errors import InputError
from study.spec.rules import quoted
from study.spec.task import PUBLISHED
from study.spec.yaml.reader import MAX_KEY, Document, KeyPath, Place, parse

_ALTERNATIVES = {
    ("task", "name"): "path",
    ("task", "path"): "name",
    ("training", "epochs"): "steps",
    ("training", "steps"): "epochs",
}


def override(document: Document, setting: str, option: str = "--set") -> None:
    """Writes `a.b=c` into `document`; c is read as YAML. Messages name `option`.

    Of two keys that exclude each other, setting one removes the other if it is from the file;
    a path and the name of a published task do not exclude each other. Setting a leaf removes the
    file's points that name it; setting the method removes all of them.

    Raises:
        InputError: no `=`, an empty key, a value that is not YAML, a key below a plain value.
    """
    source = _label(setting, option)
    dotted, equals, text = setting.partition("=")
    path = tuple(part.strip() for part in dotted.split("."))
    if not equals or not all(path) or max(map(len, path)) > MAX_KEY:
        rule = f"must be of the form a.b=c, but got {quoted(setting)}"
        raise InputError(f"{source}: {rule}; e.g. {option} training.steps=100")
    value = parse(text, source, numbered=False).values
    section = _section(document, path[:-1], source)
    _forget(document, path)
    section[path[-1]] = value
    document.places[path] = Place(source)
    _drop_alternative(document, path, value)
    if path[0] in ("adapter", "training"):
        _drop_points(document, path[1:])


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


def _drop_points(document: Document, leaf: tuple[str, ...]) -> None:
    """Removes the file's points that name a leaf; all of them for the method."""
    points, place = document.values.get("points"), document.places.get(("points",))
    if not isinstance(points, list) or place is None or not place.line:
        return
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
