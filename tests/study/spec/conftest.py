from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import StudySpec, load_spec


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StudySpec]:
    """Reads a text as x.yaml in the working directory, with overrides."""
    monkeypatch.chdir(tmp_path)

    def read(text: str | bytes, *overrides: str) -> StudySpec:
        raw = text.encode() if isinstance(text, str) else text
        Path("x.yaml").write_bytes(raw)
        return load_spec("x.yaml", overrides)

    return read


@pytest.fixture
def refused(read: Callable[..., StudySpec]) -> Callable[..., str]:
    """The single line with which a text is refused."""

    def refused(text: str | bytes, *overrides: str) -> str:
        with pytest.raises(InputError) as caught:
            read(text, *overrides)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused
