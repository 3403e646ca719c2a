"""events.jsonl: one line an event, appended and flushed by the driver alone.

The journal is the truth of a study; Optuna's study, ASHA's rungs, MLflow, trials.csv and the
report are derived from it. Events and their fields:

    study     version, name, spec (file name), data (its fingerprint), quality and tokens (reports
              on the data), commit (of a backbone of the hub), tracking (MLflow's address;
              null: in the study folder), created_with
    resumed   version, tracking, created_with
    grown     trials, changes (texts), spec (the YAML as it is from now on), fixed (values of the
              earlier trials in leaves that are searched only now), space (whether domains grew)
    warm_start  source (the folder of an earlier study), results (of each: trial, params, state,
              values of the objectives, steps ([step, score] pairs), violations), left_out
              (reason -> how many), differs (settings that are not as they were there)
    created   trial, params, point (the place of the spec's point that it tries, or null),
              settings, seeds, total_steps, reports, optuna (sampler attributes)
    report    trial, report, step, metrics
    crashed   trial, attempt (from 1; a node that died is none), fault (whether it was an error of
              the trial's own), reason; it is tried again unless `ended` follows
    warning   trial, text: what went wrong without consequences for results
    decision  trial, report, decision (continue | stop | complete | fail), reason, cutoff
    ended     trial, state (complete | pruned | failed), reason, value
    finalists candidates (trials, the best in the search first), rounds, winner: what a race has
              chosen, before the winner's scores are measured
    winner    trial, dev, test (of the weights in best/), race (null without one: candidates, with
              their scores in the search and with fresh seeds; rounds; of the replicates that
              report the winner's scores: seeds, dev, test, failed)
    data      of a benchmark: tasks (of each as a backbone reads it: fingerprint, reports,
              commit), unavailable (cells, and why)

Every event also has `event` and `time` (seconds since the epoch). `trial` counts from 0, `report`
and `step` from 1. Numbers that are not finite are written as null.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.storage.durable import sync_names

Event = dict[str, Any]
VERSION = 1
"""Of the events and their meaning; a journal of a later one is refused."""
FROM_A_COPY = "from a copy (what came after the copy is lost, and --resume trains it again)"
"""Where a damaged journal is to be had from. Checkpoints may be ahead of it."""


class Journal:
    """Appends events to a file; holds no open file, so that it can be pickled.

    A line is on disk when `append` returns, or at the end of `open`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **fields: Any) -> Event:
        """Writes one event and returns it as a reader will see it."""
        with self.open() as append:
            return append(event, **fields)

    @contextmanager
    def open(self) -> Iterator[Callable[..., Event]]:
        """Gives what appends an event as `append` does; at the end it waits for the disk, once."""
        with self.path.open("ab") as file:
            is_new = file.tell() == 0

            def append(event: str, **fields: Any) -> Event:
                line = json.dumps({"event": event, "time": time.time()} | _finite(fields)) + "\n"
                file.write(line.encode())
                file.flush()
                parsed: Event = json.loads(line)
                return parsed

            yield append
            os.fsync(file.fileno())
        if is_new:
            sync_names(self.path.parent)

    def read(self) -> list[Event]:
        """Returns all events; a last line torn by a crash is cut off the file first.

        Raises:
            InputError: a line before the last is not a JSON object.
        """
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        complete = data[: data.rfind(b"\n") + 1]
        if len(complete) < len(data):
            with self.path.open("r+b") as file:
                file.truncate(len(complete))
        return parse_events(self.path, complete)


def parse_events(path: Path, data: bytes) -> list[Event]:
    """Returns the events of a journal's complete lines; what follows the last newline is left out.

    Raises:
        InputError: a line is not a JSON object with an `event`, or a newer version of this
            package wrote the journal.
    """
    complete = data[: data.rfind(b"\n") + 1]
    lines = complete.decode("utf-8", errors="replace").splitlines()
    events = [_parse(path, line, number) for number, line in enumerate(lines, start=1)]
    for event in events:
        _check_version(path, event)
    return events


def check_version(path: Path) -> None:
    """Checks that this version of the package knows a journal's events; the file may be missing.

    Lines that cannot be read are passed over.

    Raises:
        InputError: a newer version wrote it, or went on with it.
    """
    if path.is_file():
        with path.open("rb") as file:
            for event in (_event(line) for line in file if b'"version"' in line):
                if event is not None:
                    _check_version(path, event)


def _check_version(path: Path, event: Event) -> None:
    version = event.get("version", VERSION)
    if event["event"] in ("study", "resumed") and isinstance(version, int) and version > VERSION:
        written = dict(event.get("created_with") or {}).get("adalora-rs-study", "unknown")
        raise InputError(
            f"{path.parent}: the study must be of a version that this one knows, but was written "
            f"by a newer version of this package (adalora-rs-study {written}, journal {version}; "
            f"here: journal {VERSION}); upgrade adalora-rs-study, or use another --name"
        )


def _parse(path: Path, line: str, number: int) -> Event:
    event = _event(line)
    if event is None:
        raise InputError(
            f"{path}:{number}: every line must be a JSON object with an `event`, but found "
            f"{line[:40]!r}; `python -m study.doctor {path.parent}` says how to mend it"
        )
    return event


def _event(line: str | bytes) -> Event | None:
    """Returns the event of a line, None if it holds none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _finite(value: Any) -> Any:
    """Replaces numbers that JSON does not know by None, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
