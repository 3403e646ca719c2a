"""The token of a cluster is looked for before anything starts."""

import os
from pathlib import Path

import pytest

from study.engine.tokens import check_token
from study.errors import InputError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without Ray's token, and an environment without Ray's settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "")
    return tmp_path


def test_a_cluster_needs_a_token_from_the_environment_or_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "elsewhere"
    for name, value in (("RAY_AUTH_TOKEN", "secret"), ("RAY_AUTH_TOKEN_PATH", str(file))):
        with pytest.raises(InputError, match="the cluster's token must be in RAY_AUTH_TOKEN"):
            check_token("auto", no_token=False)
        file.write_text("secret")
        monkeypatch.setenv(name, value)
        check_token("auto", no_token=False)
        monkeypatch.setenv(name, "")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("\n")
    with pytest.raises(InputError, match="but got none"):
        check_token("auto", no_token=False)
    (home / ".ray" / "auth_token").write_text("secret\n")
    check_token("auto", no_token=False)


def test_a_cluster_without_a_token_is_refused_unless_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(InputError, match=r"^RAY_AUTH_MODE: must be token.*'disabled'"):
        check_token("10.0.0.1:6379", no_token=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    check_token("10.0.0.1:6379", no_token=True)
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_a_ray_on_this_machine_always_has_a_token(home: Path) -> None:
    check_token(None, no_token=False)
    with pytest.raises(InputError, match="--no-token: must be given with --address"):
        check_token(None, no_token=True)
