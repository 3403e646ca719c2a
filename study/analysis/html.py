"""Self-contained pages: a template that extends base.html.jinja, and how a page is written."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from study.analysis.text import shown
from study.errors import InputError


def page(template: Path, content: dict[str, Any]) -> str:
    """Returns the page as text. Everything in `content` is escaped.

    Templates may use the filters `shown` (a value as a reader wants it) and `picture` (SVG text
    or the bytes of a PNG as a data URI).
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
    """Writes a file that is never half written, text as UTF-8.

    Raises:
        InputError: the file cannot be written.
    """
    partial = path.with_suffix(".partial")
    with _in_the_way(path):
        path.parent.mkdir(exist_ok=True)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            partial.replace(path)
        except OSError:
            partial.unlink()
            raise


def remove(path: Path) -> None:
    """Removes a file, if it is there.

    Raises:
        InputError: it cannot be removed.
    """
    with _in_the_way(path):
        path.unlink(missing_ok=True)


@contextmanager
def _in_the_way(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{path.parent}: must be a folder, but is a file; move it away") from None
    except IsADirectoryError:
        raise InputError(f"{path}: must be a file, but is a folder; move it away") from None
    except PermissionError:
        raise InputError(
            f"{path}: must be writable, but is not; make a copy of the folder that you "
            "may write to, and report on that"
        ) from None


def _data_uri(picture: str | bytes) -> str:
    kind, data = ("svg+xml", picture.encode()) if isinstance(picture, str) else ("png", picture)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
