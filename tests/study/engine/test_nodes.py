"""Checks of the nodes of a cluster before a study starts, and their messages."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import ray

from study.engine import nodes
from study.engine.nodes import (
    authentication_problems_here,
    check_nodes,
    check_study_folder,
    naming_the_node,
    problems_here,
)
from study.errors import InputError
from study.models import inspect_backbone
from study.models.portable import portable
from study.storage.folder import StudyFolder

VERSIONS = {
    "adalora-rs-study": nodes.__version__,
    "torch": metadata.version("torch").split("+")[0],
    "transformers": metadata.version("transformers"),
}


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / ".cluster-check-1"
    file.write_text(file.name)
    return file


def test_a_check_of_a_valid_node_reports_nothing_and_leaves_no_file(token: Path) -> None:
    info = portable(inspect_backbone("opt-dna-mini"))
    assert problems_here(token, VERSIONS, [(info, True)]) == []
    assert list(token.parent.iterdir()) == [token]


def test_all_problems_of_a_node_are_reported(tmp_path: Path) -> None:
    versions = VERSIONS | {"torch": "1.0", "transformers": "2.0"}
    info = replace(inspect_backbone("opt-dna-mini"), source="/gone", folder=Path("/gone"))
    version, storage, backbone = problems_here(tmp_path / "absent", versions, [(info, True)])
    assert version.startswith("installed versions: torch must be 1.0, but got ")
    assert ", transformers must be 2.0, but got " in version
    assert storage.startswith(f"{tmp_path}: must be a folder that all nodes share, but got ")
    assert "/gone must be the same folder on every machine, but got none" in backbone


def test_a_folder_with_the_same_name_but_other_content_is_not_shared(token: Path) -> None:
    token.write_text("something else")
    [problem] = problems_here(token, VERSIONS, [])
    assert "must be a folder that all nodes share" in problem


def test_a_folder_that_the_node_cannot_write_is_a_problem(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    [problem] = problems_here(token, VERSIONS, [])
    assert problem.startswith(f"{token.parent}: must be writable, but got Permission denied")


@pytest.mark.parametrize("mode", ["disabled", None])
def test_a_node_without_a_token_is_a_problem(
    mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert authentication_problems_here() == []
    monkeypatch.delenv("RAY_AUTH_MODE")
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    [problem] = authentication_problems_here()
    assert problem.startswith("RAY_AUTH_MODE: must be token where Ray is started")
    assert "but got disabled; " in problem
    assert "--no-token" in problem


def test_the_problems_of_all_nodes_are_one_line_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch, ray = (f"{name} must be 3.0, but got 2.0; install it" for name in ("torch", "ray"))
    results = [("node b", [torch]), ("node a", [torch, ray]), ("node c", [])]
    seen: list[bool] = []

    def check_all(token: Path, *needed: object) -> list[tuple[str, list[str]]]:
        seen.append(token.read_text() == token.name)
        return results

    monkeypatch.setattr(nodes, "_check_all", check_all)
    with pytest.raises(InputError, match=rf"^node a, node b: {torch}; node a: {ray}$"):
        check_nodes(tmp_path / "runs" / "mine")
    results = results[2:]
    check_nodes(tmp_path / "runs" / "mine")
    assert seen == [True, True]
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_storage_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be writable, but got "):
        check_nodes(tmp_path / "file" / "runs" / "mine")


def test_an_error_of_a_worker_names_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "10.0.0.7")
    monkeypatch.setattr("socket.gethostname", lambda: "gpu7")
    text = r"^on node gpu7 \(10\.0\.0\.7\): .*: must be a folder that all nodes share, but got no"
    with pytest.raises(InputError, match=text), naming_the_node():
        check_study_folder(StudyFolder(tmp_path))
