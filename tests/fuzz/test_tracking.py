"""Tracking addresses put together at random, and databases whose creation is killed."""

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.engine.tracking import server
from study.engine.tracking.address import check_tracking, tracking_address
from study.engine.tracking.client import import_mlflow, open_client
from study.engine.tracking.creation import _new_database, create_database
from study.engine.tracking.database import database, sqlite_uri
from study.errors import InputError
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from tests.error_texts import PATTERN
from tests.fuzz.mutations import damaged_bytes, time_limit

pytestmark = pytest.mark.chaos
ADDRESSES, NAMES, KILLS = 5_000, 2_000, 60
SECRET = "Pa55w0rd"
PARTS = (
    ("http://", "https://", "HTTP://", "sqlite:///", "sqlite:////", "sqlite://", "file://", ""),
    ("", "", "me:{0}@", "me%40:{0}@", "me:{0}/x@", "me:{0}#x@", "{0}@", ":{0}@", "me:{0}@x@"),
    ("host", "127.0.0.1", "[::1]", "[::1", "", "höst", "a b", "host\n", "h" * 300, "tmp/x.db"),
    ("", ":5000", ":x", ":99999", ":-1", ":", ":0"),
    (
        "",
        "/",
        "/mlflow",
        "/#/experiments/1",
        "?a=b",
        "#",
        "?",
        "/%2F",
        "/%00",
        "/%zz",
        "/\x1b[31m",
    ),
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def addresses() -> Iterator[str]:
    rng = random.Random(0)
    for _ in range(ADDRESSES):
        address = "".join(rng.choice(part) for part in PARTS).format(SECRET)
        if rng.random() < 0.5:
            address = damaged_bytes(address.encode(), rng)[:5000].decode(errors="replace")
        yield address


def test_every_address_is_accepted_or_refused_in_one_line_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "server_error", lambda uri: None)  # All servers answer.
    outcomes: Counter[str] = Counter()
    for address in addresses():
        for given, variable in ((address, ""), (None, address)):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", variable.replace("\0", ""))
            with time_limit(30, ascii(address)):
                outcome, shown = asked(StoredStudy(StudyFolder(tmp_path / "new"), ()), given)
            outcomes[outcome] += 1
            if re.match(r"https?://.*Pa55w0rd.*@", address, re.IGNORECASE | re.DOTALL):
                assert SECRET not in shown, ascii(address)
                outcomes["with a password"] += 1
    print(dict(outcomes))  # noqa: T201
    assert outcomes.keys() == {"accepted", "refused", "ignored", "with a password"}


def asked(stored: StoredStudy, given: str | None) -> tuple[str, str]:
    """Returns what becomes of an address, and all that is shown or recorded of it."""
    try:
        warnings = check_tracking(stored, given)
    except InputError as error:
        message = str(error)
        return "refused" if PATTERN.fullmatch(message) else message, message
    recorded = tracking_address(stored, given)
    return "ignored" if warnings else "accepted", f"{recorded} {warnings}"


def test_every_name_of_a_file_comes_back_from_its_address() -> None:
    from sqlalchemy.engine import make_url

    rng = random.Random(1)
    alphabet = "ab%2F?#& ü@:;=+'\"\\~"
    for _ in range(NAMES):
        name = "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 40)))
        file = Path("/") / name / "mlflow.db"
        assert database(sqlite_uri(file)) == file
        assert make_url(sqlite_uri(file)).database == str(file)
    print({"names": NAMES})  # noqa: T201


def test_a_kill_while_a_database_is_made_leaves_none_or_a_complete_one(tmp_path: Path) -> None:
    import_mlflow()
    rng = random.Random(2)
    outcomes: Counter[str] = Counter()
    for number in range(KILLS):
        file = tmp_path / str(number) / "mlflow.db"
        file.parent.mkdir()
        if number % 2:  # The tables are made already: the kill meets the writing of the file.
            _new_database()
        else:
            _new_database.cache_clear()
        child = os.fork()
        if child == 0:
            create_database(file)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.2 if number % 2 else 3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        outcomes["complete" if file.exists() else "absent"] += 1
        create_database(file)
        client = open_client(sqlite_uri(file))
        assert [one.name for one in client.search_experiments()] == ["Default"]
    print(dict(outcomes))  # noqa: T201
