"""Renders self-contained pages from templates, and writes files atomically."""

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from study.analysis.text import shown
from study.errors import InputError
from study.storage.durable import replacing

SHELL = Path(__file__).parent / "shell"
TABLES = (SHELL / "page.js", SHELL / "tables.js")
"""The scripts of every page: tooltips, sortable tables."""
CHARTS = (
    SHELL / "vendor" / "d3.min.js",
    SHELL / "vendor" / "plot.umd.min.js",
    *TABLES,
    SHELL / "figures.js",
)
"""The scripts of a page with charts; those that draw them come after."""
LICENCES = tuple(sorted((SHELL / "vendor").glob("*.LICENSE")))
"""The licences of the libraries in `CHARTS`, which ask to be with every copy."""
DIGITS = 6
"""Significant digits of the numbers in a page's data."""


def page(
    template: Path,
    content: dict[str, Any],
    scripts: Sequence[Path] = TABLES,
    data: Mapping[str, Any] | None = None,
) -> str:
    """Returns a page as HTML from a template that extends base.html.jinja; `content` is escaped.

    Templates may use the filters `shown` (see `study.analysis.text`), `picture` (SVG text or the
    bytes of a PNG as a data URI) and `content` (the text of a file). The page may run only
    `scripts`, and may load nothing.

    Args:
        template: the template's file.
        content: its variables.
        scripts: files of JavaScript, inlined in this order.
        data: what the scripts read as `page.data`.
    """
    texts = [_script(file) for file in scripts]
    shell = {
        "style": Markup(_text(SHELL / "page.css")),
        "scripts": [Markup(text) for text, _ in texts],
        "policy": _policy([digest for _, digest in texts]),
        "data": Markup(as_data(data)) if data is not None else "",
    }
    return (
        _environment(template.parent)
        .get_template(template.name)
        .render(content | {"shell": shell})
    )


def as_data(value: Any) -> str:
    """Returns a value as JSON that may stand in a script element; numbers have `DIGITS` digits.

    Numbers that are not finite are null.
    """
    text = json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def write(path: Path, content: str | bytes) -> None:
    """Writes a file atomically, text as UTF-8; creates the folder.

    Raises:
        InputError: the file cannot be written.
    """
    with _as_input_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content.encode() if isinstance(content, str) else content)


def remove(path: Path) -> None:
    """Removes a file if it exists.

    Raises:
        InputError: the file cannot be removed.
    """
    with _as_input_error(path):
        path.unlink(missing_ok=True)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "picture": _data_uri, "content": _text}
    return environment


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _script(file: Path) -> tuple[str, str]:
    """Returns a script and its hash for the page's policy."""
    text = _text(file)
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _policy(digests: Sequence[str]) -> str:
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _plain(value: Any) -> Any:
    """Returns a value of JSON's types only."""
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]


@contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"{path.parent}: must be a folder, but got a file; move the file away"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: must be a file, but got a folder; move it away") from None
    except PermissionError:
        raise InputError(
            f"{path}: must be writable, but got a file without write permission; copy the folder "
            "to where you may write, and make the report there"
        ) from None


def _data_uri(picture: str | bytes) -> str:
    kind, data = ("svg+xml", picture.encode()) if isinstance(picture, str) else ("png", picture)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
