"""Renders self-contained pages from templates, and writes files atomically."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from study.analysis.text import shown
from study.errors import InputError
from study.storage.durable import replacing


def page(template: Path, content: dict[str, Any]) -> str:
    """Returns a page as HTML from a template that extends base.html.jinja; `content` is escaped.

    Templates may use the filters `shown` (see `study.analysis.text`) and `picture` (SVG text or
    the bytes of a PNG as a data URI).
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "picture": _data_uri}
    return environment.get_template(template.name).render(content)


def write(path: Path, content: str | bytes) -> None:
    """Writes a file atomically, text as UTF-8; creates the folder if its parent exists.

    Raises:
        InputError: the file cannot be written.
    """
    with _as_input_error(path):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as file:
            file.write(content.encode() if isinstance(content, str) else content)


def remove(path: Path) -> None:
    """Removes a file if it exists.

    Raises:
        InputError: the file cannot be removed.
    """
    with _as_input_error(path):
        path.unlink(missing_ok=True)


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
