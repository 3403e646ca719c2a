"""Damaged journals: report, doctor, warm start and resume refuse them in one line, or accept them.

All four read with one reader: what it refuses, the doctor reports, and nothing else.
"""

import copy
import json
import random
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from study.analysis.study import page
from study.analysis.study.reading import read_study
from study.doctor.examination import GROUPS
from study.doctor.finding import Finding, NotCheckedError
from study.doctor.subject import ReadLedger, read_subject
from study.engine.console.progress import Progress
from study.engine.console.view import view
from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.search import OptunaSearcher
from study.engine.tracking.entries import param_entries, report_batches
from study.errors import InputError
from study.spec import StudySpec, dump_spec, load_spec, loading
from study.storage.consistency import STREAMS
from study.storage.events import StudyGrown
from study.storage.folder import StudyFolder
from study.storage.growth import changes_of_study
from study.storage.journal import line_of
from study.storage.live.building import study_snapshot
from study.storage.live.reading import read_snapshot
from study.storage.opening import check_folder
from study.storage.stored import StoredStudy
from study.storage.tables import trial_rows
from study.storage.warm_start import earlier_results
from tests.fuzz.mutations import damaged_bytes, damaged_value, time_limit
from tests.study.doctor.made_folders import edit, evaluate_winner, of, open_study, run

CASES = 5000
SECONDS = 30.0
"""The longest that any of the readers may take."""
Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study whose journal has every kind of event, and is sound."""
    path = tmp_path_factory.mktemp("journals") / "study"
    study = open_study(path, trials=4)
    for number in range(3):
        run(study, number)
    evaluate_winner(study)
    edit(path, lambda events: with_every_event(events, study[0].spec))
    return path


def with_every_event(events: Events, spec: StudySpec) -> None:
    """Adds those that a short study without a race does not have."""
    time = events[-1]["time"]
    split = {"mean": 9.5, "longest": 12, "truncated": 0.0, "unknown": 0.0}
    quality = {
        "rows": 8,
        "class_rows": [4, 4],
        "gc_mean": [0.5, None],
        "gc_sd": [0.1, None],
        "bases": [30, 40.5, 50],
        "copies": 1,
        "reverse_copies": 0,
        "conflicts": 0,
    }
    events[0] |= {
        "tokens": {"max_length": 12, "measured": True, "splits": {"train": split}},
        "quality": {
            "splits": {"train": quality},
            "shared": {"train, dev": {"same": 1, "reverse": 2}},
            "conflicts": 1,
            "dropped": {"copies": 3},
        },
        "created_with": {"adalora-rs-study": "0.1.0", "torch": "2.13.0"},
        "machine": {"system": "Linux", "cores": "2 cores"},
        "commit": None,
        "data": "5f",
    }
    earlier = {
        "trial": 0,
        "params": {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3},
        "state": "complete",
        "values": [0.5],
        "steps": [[10, 0.2], [40, 0.5]],
        "violations": {},
    }
    started = {"source": "/runs/b", "results": [earlier], "left_out": {"no p": 1}, "differs": []}
    events.insert(1, {"event": "warm_start", "time": events[0]["time"], **started})
    place = events.index(of(events, "report", 2, 2))
    about = {"time": events[place]["time"], "trial": 2}
    events[place:place] = [
        {"event": "crashed", **about, "attempt": 1, "fault": True, "reason": "x"},
        {"event": "resumed", "time": about["time"], "version": 1, "tracking": None},
        {"event": "warning", **about, "text": "slow"},
        json.loads(
            line_of(
                StudyGrown(trials=4, changes=["x"], spec=dump_spec(spec), fixed={}, space=True),
                about["time"],
            )
        ),
    ]
    race = {
        "candidates": [
            {"trial": 2, "search": 0.6, "fresh": [0.5]},
            {"trial": 0, "search": 0.4, "fresh": [None]},
        ],
        "rounds": [[2, 0]],
        "seeds": [dict.fromkeys(STREAMS, 1000)] * 2,
        "failed": 0,
        "dev": {"dev_mcc": [0.5, 0.6]},
        "test": {"test_mcc": [0.5, None]},
    }
    decided = {"candidates": [2, 0], "rounds": [[2, 0]], "winner": 2}
    events.insert(-1, {"event": "finalists", "time": time, **decided})
    events[-1]["race"] = race


def damaged_journal(data: bytes, rng: random.Random) -> bytes:
    """Returns the journal with damaged bytes, a damaged event, or lines in another order."""
    lines = data.splitlines(keepends=True)
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(8):
        case 0:
            return damaged_bytes(data, rng)
        case 1:
            lines[place] = damaged_bytes(lines[place][:-1], rng).replace(b"\n", b" ") + b"\n"
        case 2:
            del lines[place]
        case 3:
            lines.insert(other, lines[place])
        case 4:
            lines.insert(other, lines.pop(place))
        case 5:
            del lines[place:other]
        case _:
            event = damaged_value(json.loads(lines[place]), rng)
            lines[place] = json.dumps(event).encode() + b"\n"
            if rng.random() < 0.1:
                lines[place] = lines[place].replace(b"null", b"[" * 100_000 + b"]" * 100_000, 1)
    return b"".join(lines)


def resume(path: Path) -> None:
    """Replays the journal as a resume does, up to the next suggestion and the tables."""
    spec = load_spec(str(StudyFolder(path).spec))
    stored = check_folder(path, changes_of_study(spec), resume=True)
    ledger = ReadLedger(stored.folder, stored.spec, stored.study_record())
    AshaScheduler(ledger)
    searcher = OptunaSearcher(ledger, lambda resolved: (40, 4))
    while isinstance(searcher.suggest(f"ray-{len(ledger.record.trials)}"), dict):
        pass
    trial_rows(ledger.record, ledger.spec)
    for trial in ledger.record.trials.values():
        list(report_batches(trial.reports))
        param_entries(trial)
    progress = Progress(
        Console(), lambda now: study_snapshot("s", ledger.spec, ledger.record, None, now)
    )
    progress.draw()


def report(path: Path, fits: bool) -> None:
    """Shows the state and makes the report; its fits, which take most of the time, on request."""
    view(read_snapshot(path, 0.0))
    page.render(read_study(StoredStudy.read(StudyFolder(path))), live=not fits)


def warm_start(path: Path) -> None:
    """Takes the results over into a new study."""
    nothing = StoredStudy(StudyFolder(path.parent / "new"), ())
    earlier_results(nothing, path, load_spec(str(StudyFolder(path).spec)))


def refusal(reader: Callable[[], None]) -> str:
    """Returns the message with which a reader refuses a journal, "" if it does not."""
    try:
        reader()
    except InputError as error:
        return str(error)
    return ""


def damage(path: Path) -> list[str]:
    """Returns what the doctor finds wrong with the journal itself."""
    subject = read_subject(path, None)
    found = [Finding("files", subject.spec_error, "")] if subject.spec_error else []
    for group in ("journal", "trials", "scheduler"):
        try:
            found += [one for one in GROUPS[group](subject) if group != "scheduler"]
        except NotCheckedError:
            continue
    return [one.problem for one in found if not one.unfinished]


def outcome(path: Path, seed: int) -> str:
    """Returns what becomes of the journal in a folder: refused, or accepted by all readers."""
    refused = {
        "resume": refusal(lambda: resume(path)),
        "warm start": refusal(lambda: warm_start(path)),
        "report": refusal(lambda: report(path, fits=seed % 50 == 0)),
    }
    try:
        found = damage(path)
    except InputError as error:  # No study any more, or of a newer version.
        found = [str(error)]
    journal = {name for name, text in refused.items() if "events.jsonl" in text}
    if "newer version" in refused["resume"]:
        return "of a newer version"
    if not StoredStudy.read(StudyFolder(path)).lines:
        assert journal == refused.keys(), (seed, refused)
        return "without a line"
    if not found:
        assert not journal, (seed, refused)
        return "accepted"
    assert journal == refused.keys(), (seed, found, refused)
    assert all(text.isprintable() and len(text) < 1600 for text in refused.values()), seed
    return "refused"


@pytest.fixture
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parses each YAML once: the readers would spend most of their time on the same spec."""
    known = lru_cache(maxsize=256)(loading.parse)
    monkeypatch.setattr(loading, "parse", lambda text, source: copy.deepcopy(known(text, source)))


@pytest.mark.chaos
@pytest.mark.usefixtures("parsed_once")
def test_no_damaged_journal_ends_in_a_traceback_or_hangs(original: Path) -> None:
    journal = StudyFolder(original).journal
    data = journal.read_bytes()
    assert outcome(original, 0) == "accepted"
    counts = Counter[str]()
    for seed in range(1, CASES + 1):
        journal.write_bytes(damaged_journal(data, random.Random(seed)))
        with time_limit(SECONDS, f"journal {seed}"):
            try:
                counts[outcome(original, seed)] += 1
            except Exception as error:
                raise AssertionError(f"journal {seed}: {error!r}") from error
    journal.write_bytes(data)
    print(f"{CASES} damaged journals: {dict(counts)}")  # noqa: T201
    assert counts["refused"] > CASES // 2
