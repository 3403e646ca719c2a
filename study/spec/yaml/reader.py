"""YAML text -> plain values, with the file and line of each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from typing_extensions import override

from study.errors import InputError
from study.spec.rules import quoted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_KEY = 60
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}

_ODD_SPACES = "\u00a0\u1680\u2007\u2009\u200b\u200c\u200d\u202f\u205f\u3000\ufeff"

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """The source of a value: a file and its line (from 1), or an option, without a line."""

    source: str
    line: int = 0

    @override
    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass
class Document:
    """Plain values, and the place of each by its path."""

    source: str
    values: Any
    places: dict[KeyPath, Place] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What overrides have removed."""

    def place(self, path: KeyPath) -> Place:
        """Returns the place of `path`, or of the nearest mapping or list around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.source))

    def value(self, path: KeyPath) -> Any:
        """Returns the value at `path`; None if there is none."""
        value: Any = self.values
        for key in path:
            try:
                value = value[key]
            except (LookupError, TypeError):  # TypeError: a plain value has no keys.
                return None
        return value


def read_text(path: Path, source: str) -> str:
    """Returns the text of a UTF-8 file of at most `MAX_BYTES`.

    Raises:
        InputError: `path` is a folder, too big, unreadable or not UTF-8.
    """
    try:
        if path.is_dir():
            raise InputError(f"{source}: must be a YAML file, but got a folder; give a file in it")
        if not path.is_file():
            raise InputError(
                f"{source}: must be a YAML file, but got a device or pipe; give a file"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            rule = f"must be a YAML file of at most {MAX_BYTES // 1024} KiB"
            raise InputError(f"{source}: {rule}, but got {size / 1024:.0f} KiB; shorten it")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{source}: must be readable, but got: {error.strerror}; check its path and "
            "permissions"
        ) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(source, raw.count(b"\n", 0, error.start) + 1)
        byte = f"byte 0x{raw[error.start]:02x}"
        raise InputError(
            f"{place}: must be UTF-8 text, but got {byte}; save it as UTF-8"
        ) from error


def parse(text: str, source: str, *, numbered: bool = True) -> Document:
    """Reads one YAML 1.2 document: `1e-4` is a number, `no` is text.

    `numbered`: whether messages name lines; not for a value of a command line.

    Raises:
        InputError: not YAML, several documents, a duplicate key, an anchor, tag or odd key.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _ShallowComposer
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        odd = next((at for at, letter in enumerate(text) if letter in _ODD_SPACES), None)
        if odd is not None:
            place = Place(source, text.count("\n", 0, odd) + 1 if numbered else 0)
            raise InputError(
                f"{place}: must have ordinary spaces, but got U+{ord(text[odd]):04X}, which looks "
                "like one or is invisible; type the line again"
            ) from error
        raise InputError(_syntax_message(error, source, numbered)) from error
    except YAMLError as error:
        problem = str(error).splitlines()[0]
        raise InputError(
            f"{source}: must be plain YAML text, but got: {problem}; remove the character"
        ) from error
    document = Document(source, None)
    if node is not None:
        document.values = _Walk(yaml, document, numbered).value(node, ())
    return document


class _ShallowComposer(Composer):
    """Limits the depth of nesting to `MAX_DEPTH`, below Python's recursion limit."""

    depth = 0

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.parser.peek_event().start_mark
            raise ComposerError(problem="nests too deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _syntax_message(error: MarkedYAMLError, source: str, numbered: bool) -> str:
    mark = error.problem_mark or error.context_mark
    place = Place(source, mark.line + 1 if mark and numbered else 0)
    problem = error.problem or "cannot be read"
    if "\\t" in problem:
        return f"{place}: must not have tabs between values, but got one; use spaces instead"
    if problem == "but found another document":
        return f"{place}: must be a single document, but got another one; remove `---`"
    context = f" {error.context}" if error.context else ""
    fix = "; quote a text that begins with > or |" if "block scalar" in context else ""
    fix = "; write text with backslashes in single quotes" if "double-quoted" in context else fix
    return f"{place}: must be YAML, but got an error{context}: {problem}{fix}".replace("\n", " ")


class _Walk:
    """Converts nodes to values and records the place of each."""

    def __init__(self, yaml: YAML, document: Document, numbered: bool) -> None:
        self.yaml = yaml
        self.numbered = numbered
        self.document = document

    def refuse(self, node: Any, text: str) -> InputError:
        return InputError(f"{self.place(node)}: {text}")

    def place(self, node: Any) -> Place:
        return Place(self.document.source, node.start_mark.line + 1 if self.numbered else 0)

    def value(self, node: Any, path: KeyPath) -> Any:
        self.document.places.setdefault(path, self.place(node))
        if node.anchor is not None:
            raise self.refuse(
                node, f"anchors must not be used, but got &{node.anchor}; repeat the value"
            )
        if isinstance(node, MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self.mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.scalar(key_node)
            if not isinstance(key, str) or len(key) > MAX_KEY:
                text = f"keys must be text of at most {MAX_KEY} characters, but got {quoted(key)}"
                raise self.refuse(key_node, f"{text}; quote or shorten it")
            if key in values:
                first = self.document.places[(*path, key)].line
                text = f"keys must differ, but got `{key}` in line {first} too; remove one"
                raise self.refuse(key_node, f"{'.'.join(map(str, (*path, key)))}: {text}")
            self.document.places[(*path, key)] = self.place(key_node)
            values[key] = self.value(value_node, (*path, key))
        return values

    def scalar(self, node: Any) -> Any:
        if not isinstance(node, ScalarNode) or node.tag not in _PLAIN_TAGS:
            kind = str(node.tag).replace("tag:yaml.org,2002:", "!!")
            text = f"must be plain text, numbers, lists and mappings, but got {kind}"
            raise self.refuse(node, f"{text}; quote it or remove the tag")
        try:
            value = self.yaml.constructor.construct_object(node)
        except (ValueError, LookupError) as error:  # e.g. `!!int x`, `!!bool maybe`
            text = f"must be a number, but got {quoted(node.value)}; correct it or remove the tag"
            raise self.refuse(node, text) from error
        if isinstance(value, str) and not value.isprintable():
            text = f"must be printable text on one line, but got {quoted(value)}"
            raise self.refuse(node, f"{text}; remove other characters")
        return value
