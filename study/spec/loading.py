"""YAML and overrides -> StudySpec, and back."""

import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

import study
from study.errors import InputError
from study.spec.domains import DOMAINS
from study.spec.rules import suggestion
from study.spec.schema import PRESET_BACKBONE, StudySpec
from study.spec.yaml.messages import input_error
from study.spec.yaml.overrides import override
from study.spec.yaml.reader import Document, parse, read_text


def load_spec(path_or_name: str, overrides: Sequence[str] = ()) -> StudySpec:
    """The study that a YAML file, or a shipped space by name, asks for.

    `overrides` are texts `a.b=c`, applied in order. Relative paths in the file are looked for
    beside the file, then in the working directory; relative paths in overrides in the working
    directory alone. They are absolute in the result.

    Raises:
        InputError: one line: place, key, the rule that must hold, what was found, the fix. Of
            several errors in values the first by line, and how many more there are.
    """
    path, source = find_space(path_or_name)
    document = read_document(path, source)
    if "backbones" in document.values or "tasks" in document.values:
        raise InputError(
            f"{source}: must be a study's space, but is a benchmark: run it with "
            "python -m study.benchmark"
        )
    if "configurations" in document.values:
        raise InputError(
            f"{source}: must be a study's space, but is a comparison of seeds: it belongs to "
            "python -m study.seeds"
        )
    for setting in overrides:
        override(document, setting)
    _make_paths_absolute(document, path.resolve().parent)
    return _validated(document)


def read_spec(
    text: str, source: str, overrides: Sequence[str] = (), option: str = "--set"
) -> StudySpec:
    """The study that a text of `dump_spec` asks for; `source` is what messages call it.

    Raises:
        InputError: it is not such a text, or an override of `option` does not fit it.
    """
    document = parse(text, source)
    for setting in overrides:
        override(document, setting, option)
    _make_paths_absolute(document, Path.cwd())
    return _validated(document)


def _validated(document: Document) -> StudySpec:
    try:
        return StudySpec.model_validate(document.values)
    except ValidationError as error:
        raise input_error(error, document) from error


def read_document(path: Path, source: str) -> Document:
    """A YAML file that holds a mapping.

    Raises:
        InputError: it does not.
    """
    document = parse(read_text(path, source), source)
    if document.values is None:
        raise InputError(f"{source}: must not be empty; start from a shipped space, e.g. smoke")
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise InputError(f"{source}: must be a mapping of sections, but is a {kind}")
    return document


def dump_spec(spec: StudySpec) -> str:
    """YAML text from which `load_spec` reads an equal spec."""
    return dump_document(spec_document(spec))


def spec_document(spec: StudySpec) -> CommentedMap:
    """A spec as a YAML file has it: sections as blocks, what is inside a leaf on one line."""
    values = spec.model_dump(mode="json", exclude_none=True)
    said = {section: value for section, value in values.items() if value not in ([], {})}
    return _flow_leaves(said)


def dump_document(document: CommentedMap) -> str:
    """The text of a document."""
    yaml = YAML()
    yaml.width = 4096
    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def json_schema() -> dict[str, Any]:
    """The JSON schema of a YAML, for editors that check while one types."""
    schema = StudySpec.model_json_schema()
    for cls in DOMAINS.values():
        domain = cls.model_json_schema()
        schema["$defs"][cls.__name__] = domain | {"required": ["type", *domain["required"]]}
    _offer_domains(schema, [{"$ref": f"#/$defs/{cls.__name__}"} for cls in DOMAINS.values()])
    return schema


def _offer_domains(node: Any, domains: list[dict[str, str]]) -> None:
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _offer_domains(child, domains)
        if isinstance(child, dict) and child.pop("x-searchable", False):
            kept = {key: child.pop(key) for key in ("title", "default") if key in child}
            fixed = dict(child)
            child.clear()
            child |= {"anyOf": [fixed, *domains], **kept}


def _flow_leaves(values: dict[str, Any], depth: int = 0) -> CommentedMap:
    """Sections as blocks; what is inside a leaf (a domain, a list) on one line."""
    mapping = CommentedMap()
    for key, value in sorted(values.items(), key=lambda item: item[0] not in ("method", "name")):
        if isinstance(value, dict):
            mapping[key] = _flow_leaves(value, depth + 1)
        elif isinstance(value, list):
            mapping[key] = _flow_list(value)
        else:
            mapping[key] = value
    if depth > 1:
        mapping.fa.set_flow_style()
    return mapping


def _flow_list(values: list[Any]) -> CommentedSeq:
    """A list on one line; of mappings, each on a line of its own."""
    items = CommentedSeq([_flow_leaves(v, 2) if isinstance(v, dict) else v for v in values])
    if not any(isinstance(value, dict) for value in values):
        items.fa.set_flow_style()
    return items


def _make_paths_absolute(document: Document, beside: Path) -> None:
    for section, key in (("task", "path"), ("backbone", "name")):
        values = document.values.get(section)
        given = values.get(key) if isinstance(values, dict) else None
        from_file = document.place((section, key)).line > 0
        folders = [beside, Path.cwd()] if from_file else [Path.cwd()]
        if isinstance(given, str) and given:
            values[key] = absolute(f"{section}.{key}", given, folders)


def absolute(setting: str, given: str, folders: Sequence[Path]) -> str:
    """A setting that may be a path, looked for in `folders`; what is not a path stays as it is."""
    path = Path.home() / given[2:] if given.startswith("~/") else Path(given)
    candidates = [Path(os.path.realpath(folder / path)) for folder in folders]
    found = next((path for path in candidates if _exists(path)), candidates[-1])
    return str(found) if setting != "backbone.name" or _is_folder(given, found) else given


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be entered: whoever reads it says so
        return False


def _is_folder(given: str, found: Path) -> bool:
    """Whether a backbone's name means a folder rather than the preset or a hub id."""
    if given == PRESET_BACKBONE:
        return False
    return given.startswith((".", "~/", "/")) or (_exists(found) and found.is_dir())


def shipped_folder() -> Path:
    """The folder of shipped spaces: inside the installed package, or beside it in a checkout."""
    package = Path(study.__file__).resolve().parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def shipped_spaces(kind: str = "") -> list[str]:
    """The names of the shipped spaces, or of another kind ("benchmarks"), without `.yaml`."""
    return sorted(path.stem for path in (shipped_folder() / kind).glob("*.yaml"))


def find_space(path_or_name: str, kind: str = "") -> tuple[Path, str]:
    """The file that `path_or_name` means, and what to call it in messages.

    A file at that path wins; otherwise a name, with or without `.yaml`, is looked up among the
    shipped spaces, or those of another kind.

    Raises:
        InputError: neither exists.
    """
    path, name = Path(path_or_name), path_or_name.removesuffix(".yaml")
    try:
        if path.is_file() or (path.exists() and name not in shipped_spaces(kind)):
            return path, path_or_name
    except OSError as error:
        raise InputError(f"{path_or_name}: must be readable, but {error.strerror}") from error
    if name in shipped_spaces(kind):
        file = shipped_folder() / kind / f"{name}.yaml"
        return file, file.relative_to(shipped_folder().parent).as_posix()
    known = f"one of {', '.join(shipped_spaces(kind))}{suggestion(name, shipped_spaces(kind))}"
    raise InputError(f"{path_or_name}: must be an existing YAML file or {known}")
