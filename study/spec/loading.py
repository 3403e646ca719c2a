"""YAML and overrides -> StudySpec, and back; paths; the shipped spaces; the JSON schema.

In this order: `load_spec` and `dump_spec`; `json_schema`; relative paths; shipped spaces.
"""

import os
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

import study
from study.errors import InputError
from study.paths import local_path
from study.spec.backbone import CNN, PRESET_BACKBONE
from study.spec.domains import DOMAINS
from study.spec.methods import add_absent
from study.spec.rank_pattern import embed_rank_pattern
from study.spec.rules import suggestion
from study.spec.schema import StudySpec
from study.spec.yaml.messages import input_error
from study.spec.yaml.overrides import override
from study.spec.yaml.reader import Document, Place, parse, read_text


def load_spec(
    path_or_name: str,
    overrides: Sequence[str] = (),
    note: Callable[[str], None] | None = None,
    *,
    stored: bool = False,
) -> StudySpec:
    """Returns the study of a YAML file, or of a shipped space by its name.

    `overrides` are texts `a.b=c`, applied in order. A relative path in the file is relative to
    the file's folder or, if nothing is there, to the working directory; a relative path in an
    override is relative to the working directory. Paths are absolute in the result. `note` is
    called with a line for each override that has removed settings of the file. `stored`: the file
    is of a study folder; settings that its version did not have get the values of that version.

    Raises:
        InputError: the file is not such a YAML. Of several errors the first by line, with the
            number of the others.
    """
    path, source = find_space(path_or_name)
    document = read_document(path, source)
    if "backbones" in document.values or "tasks" in document.values:
        raise InputError(
            f"{source}: must be a study's space, but got a benchmark; run it with "
            "python -m study.benchmark"
        )
    if "configurations" in document.values:
        raise InputError(
            f"{source}: must be a study's space, but got a comparison; run it with "
            "python -m study.seeds"
        )
    if stored:
        add_absent(document.values.get("adapter"))
    for setting in overrides:
        override(document, setting)
    _make_paths_absolute(document, path.resolve().parent)
    spec = _validated(document)
    for line in document.notes:
        if note is not None:
            note(line)
    return spec


def read_spec(
    text: str,
    source: str,
    overrides: Sequence[str] = (),
    option: str = "--set",
    *,
    stored: bool = False,
) -> StudySpec:
    """Returns the study of a text by `dump_spec`; messages name `source`; `stored` as above.

    Raises:
        InputError: it is not such a text, or an override, given by `option`, is invalid.
    """
    document = _of_settings(parse(text, source))
    if stored:
        add_absent(document.values.get("adapter"))
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
    """Reads a YAML file whose top level is a mapping.

    Raises:
        InputError: it is empty or not a mapping.
    """
    return _of_settings(parse(read_text(path, source), source))


def _of_settings(document: Document) -> Document:
    source = document.source
    if document.values is None:
        raise InputError(
            f"{source}: must have settings, but got an empty file; start from a shipped space, "
            "e.g. smoke"
        )
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise InputError(
            f"{source}: must be a mapping of sections, but got a {kind}; write sections such as "
            "`training:`"
        )
    return document


def dump_spec(spec: StudySpec) -> str:
    """Returns YAML text from which `load_spec` reads an equal spec."""
    return dump_document(spec_document(spec))


def spec_document(spec: StudySpec) -> CommentedMap:
    """Returns a spec as a YAML document: sections as blocks, a leaf's content on one line."""
    values = spec.model_dump(mode="json", exclude_none=True)
    given = {section: value for section, value in values.items() if value not in ([], {})}
    return _flow_leaves(given)


def dump_document(document: CommentedMap) -> str:
    """Returns the text of a document."""
    yaml = YAML()
    yaml.width = 4096
    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def json_schema() -> dict[str, Any]:
    """Returns the JSON schema of a space, for editors."""
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
    """Returns sections as blocks; a leaf's content (a domain, a list) on one line."""
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
    """Returns a list on one line; a list of mappings with one mapping per line."""
    items = CommentedSeq([_flow_leaves(v, 2) if isinstance(v, dict) else v for v in values])
    if not any(isinstance(value, dict) for value in values):
        items.fa.set_flow_style()
    return items


_PATHS = (("task", "path"), ("backbone", "name"), ("adapter", "rank_pattern"))


def _make_paths_absolute(document: Document, beside: Path) -> None:
    for section, key in _PATHS:
        values = document.values.get(section)
        given = values.get(key) if isinstance(values, dict) else None
        from_file = document.place((section, key)).line > 0
        folders = [beside, Path.cwd()] if from_file else [Path.cwd()]
        if isinstance(given, str) and given:
            values[key] = absolute(
                f"{section}.{key}", given, folders, document.place((section, key))
            )
    embed_rank_pattern(document)


def absolute(setting: str, given: str, folders: Sequence[Path], place: Place) -> str:
    """Returns a path setting as an absolute path, relative to the first of `folders` that has it.

    A backbone's name that is not a folder is returned unchanged.

    Raises:
        InputError: it is no path of this machine; names `place`.
    """
    path = Path(local_path(given, f"{place}: {setting}", folders))
    candidates = [Path(os.path.realpath(folder / path)) for folder in folders]
    path = next((path for path in candidates if _exists(path)), candidates[-1])
    return str(path) if setting != "backbone.name" or _is_folder(given, path) else given


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder without permission: reported when it is read
        return False


def _is_folder(given: str, path: Path) -> bool:
    """Returns whether a backbone's name is a folder, not a shipped one or a hub id."""
    if given in (PRESET_BACKBONE, CNN):
        return False
    return given.startswith((".", "~", "/")) or (_exists(path) and path.is_dir())


def shipped_folder() -> Path:
    """Returns the folder of shipped spaces: in the package, or beside it in a checkout."""
    package = Path(study.__file__).resolve().parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def shipped_spaces(kind: str = "") -> list[str]:
    """Returns the names of the shipped spaces, or of `kind` ("benchmarks"), without `.yaml`."""
    return sorted(path.stem for path in (shipped_folder() / kind).glob("*.yaml"))


def find_space(path_or_name: str, kind: str = "") -> tuple[Path, str]:
    """Returns the file of a space, and its name for messages.

    A file at that path has precedence over a shipped space (or one of `kind`) of that name, with
    or without `.yaml`.

    Raises:
        InputError: neither exists.
    """
    path, name = Path(path_or_name), path_or_name.removesuffix(".yaml")
    try:
        if path.is_file() or (path.exists() and name not in shipped_spaces(kind)):
            return path, path_or_name
    except OSError as error:
        raise InputError(
            f"{path_or_name}: must be readable, but got: {error.strerror}; check its path and "
            "permissions"
        ) from error
    if name in shipped_spaces(kind):
        file = shipped_folder() / kind / f"{name}.yaml"
        return file, file.relative_to(shipped_folder().parent).as_posix()
    known = shipped_spaces(kind)
    if name in shipped_spaces("" if kind else "benchmarks"):
        what, other, command = (
            ("a benchmark", "a study", "run") if kind else ("a study", "a benchmark", "benchmark")
        )
        raise InputError(
            f"{path_or_name}: must be the space of {what}, but got that of {other}; run it with "
            f"python -m study.{command}"
        )
    raise InputError(
        f"{path_or_name}: must be an existing YAML file or one of {', '.join(known)}, but got "
        f"neither{suggestion(name, known) or '; correct the path or name'}"
    )
