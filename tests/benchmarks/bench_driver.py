"""The cost of the driver of a study: with many trials, over a thousand trials, at a resume.

    python -m tests.benchmarks.bench_driver cost      # 64 trials that report every 10 s
    python -m tests.benchmarks.bench_driver thousand  # per trial and in memory, first to last
    python -m tests.benchmarks.bench_driver resume    # a journal of 500 trials
    python -m tests.benchmarks.bench_driver ray       # trivial trials through Ray Tune itself

Trials are simulated (simulated_driver.py), with MLflow in a sqlite database and the live table of
a terminal. Only `ray` runs trials in processes, which do no work, and without MLflow and table.
Targets: 1 % of a core; memory and time per trial at most double by the end; a resume within 10 s.
"""

# ruff: noqa: T201
import argparse
import io
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console

from study.engine.console.progress import Progress
from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.optuna_file import OptunaJournal
from study.engine.scheduling.search import OptunaSearcher
from study.engine.tracking.subject import of_study
from study.engine.tracking.tracker import CLOSE_SECONDS, Tracker
from study.engine.tuning import _Checkpoints
from study.storage.events import TrialEnded
from study.storage.ledger import StudyLedger
from study.storage.live.building import study_snapshot
from tests.benchmarks import trivial_trials
from tests.benchmarks.simulated_driver import Driver, driver_spec, open_ledger

CONCURRENT, EVERY = 64, 10.0
HISTORY = 150
"""Number of trials that end before the cost is measured."""


def main() -> None:
    """Runs one or more of the benchmarks, each in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="+", choices=BENCHMARKS)
    parser.add_argument("--seconds", type=float, default=120.0, help="of cost")
    parser.add_argument("--reports", type=int, default=30, help="of a trial of cost")
    parser.add_argument("--trials", type=int, default=1000, help="of thousand and ray")
    arguments = parser.parse_args()
    for name in arguments.which:
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{name}", flush=True)
            BENCHMARKS[name](Path(folder) / "study", arguments)


def cost(path: Path, arguments: argparse.Namespace) -> None:
    """Prints the CPU time per second of a study with 64 trials that report every 10 s."""
    ledger = open_ledger(path, driver_spec(10_000, arguments.reports))
    driver = Driver(ledger, CONCURRENT)
    for _ in driver.run():  # A history, and trials at every stage.
        if len(ledger.record.in_state("complete", "pruned")) >= HISTORY:
            break
    with listening(ledger) as tracker:
        tracker.update(ledger.record)
        wait_until_quiet()
        parts = Parts(ledger, driver.searcher, driver.scheduler)
        driver.pace(EVERY)
        reports, asked, threads = driver.reports, driver.suggestions, thread_seconds()
        wall, cpu = time.monotonic(), time.process_time()
        for _ in driver.run():
            if time.monotonic() - wall >= arguments.seconds:
                break
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        for name, seconds in thread_seconds().items():
            parts.seconds[f"thread: {name}"] = seconds - threads.get(name, 0.0)
    reports, asked = driver.reports - reports, driver.suggestions - asked
    print(f"{reports} reports and {asked} new trials in {wall:.0f} s, {HISTORY} trials before")
    print(f"{'the driver':<28} {cpu / wall:.2%} of a core")
    for name, seconds in parts.seconds.items():
        print(f"  {name:<26} {seconds / wall:.2%}")


def wait_until_quiet() -> None:
    """Waits until MLflow has caught up."""
    before = -1.0
    while time.process_time() - before > 0.2:
        before = time.process_time()
        time.sleep(5.0)


def thread_seconds() -> dict[str, float]:
    """Returns CPU seconds of the other threads by name (Linux, in steps of 0.01 s)."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rsplit(")", 1)[1]
            user, system = fields.split()[11:13]
            name = "live table" if type(thread).__name__ == "_RefreshThread" else thread.name
            found[name] = (int(user) + int(system)) / ticks
    return found


def thousand(path: Path, arguments: argparse.Namespace) -> None:
    """Prints CPU time and memory of trivial trials, from the first hundred to the last."""
    ledger = open_ledger(path, driver_spec(arguments.trials, 4))
    driver, marks = Driver(ledger, 8), [mark(0)]
    with listening(ledger):
        for _ in driver.run():
            done = len(ledger.record.trials) // 100
            if done > len(marks) - 1:
                marks.append(mark(100 * done))
    print_growth(marks)


def resume(path: Path, arguments: argparse.Namespace) -> None:
    """Prints the seconds to resume a study of 500 trials."""
    spec = driver_spec(500, 10)
    ledger = open_ledger(path, spec)
    tracker = Tracker(ledger, None, of_study(ledger))
    ledger.listeners = [tracker]
    for _ in Driver(ledger, CONCURRENT).run():
        if len(ledger.record.trials) == 500:
            break
    tracker.close(ledger.record, "KILLED")
    while True:  # Until MLflow has all, as after a study at its own pace.
        started = time.monotonic()
        tracker = Tracker(ledger, None, of_study(ledger))
        tracker.update(ledger.record)
        tracker.close(ledger.record, "KILLED")
        if time.monotonic() - started < CLOSE_SECONDS:
            break
    size = ledger.folder.journal.stat().st_size / 2**20
    print(f"{len(ledger.record.reports)} reports, {size:.1f} MiB of journal")
    started = time.perf_counter()
    ledger = timed("journal, record", lambda: open_ledger(path, spec))
    timed("scheduler", lambda: AshaScheduler(ledger))
    timed("searcher", lambda: OptunaSearcher(ledger, None))  # type: ignore[arg-type]
    timed("Optuna's journal", lambda: OptunaJournal(ledger))
    tracker = timed("MLflow, opened", lambda: Tracker(ledger, None, of_study(ledger)))
    tracker.update(ledger.record)
    print(f"{'everything before a resume':<28} {time.perf_counter() - started:.2f} s")
    timed("MLflow, compared and ended", lambda: tracker.close(ledger.record, "KILLED"))


def through_ray(path: Path, arguments: argparse.Namespace) -> None:
    """Prints wall and CPU time of trivial trials in Ray Tune's processes, without listeners."""
    ledger = open_ledger(path, driver_spec(arguments.trials, 4))
    marks, ended = [mark(0)], 0

    def count(event: Any, record: Any) -> None:
        nonlocal ended
        ended += isinstance(event, TrialEnded)
        if isinstance(event, TrialEnded) and ended % 100 == 0:
            marks.append(mark(ended))

    ledger.listeners.append(count)
    searcher, scheduler = trivial_trials.made_for(ledger, concurrent=2)
    parts = Parts(ledger, searcher, scheduler)
    trivial_trials.run(ledger, searcher, scheduler, concurrent=2)
    print_growth(marks)
    reports, rate = len(ledger.record.reports), CONCURRENT / EVERY
    rest = marks[-1]["cpu"] - marks[1]["cpu"]  # The first hundred wait for Ray to start.
    rest = rest / (ended - 100) - sum(parts.seconds.values()) / ended
    print(f"Ray Tune: {1000 * rest:.1f} ms a trial of {reports / ended:.1f} reports")
    print(f"at {rate} reports a second {rest * ended / reports * rate:.1%} of a core")


BENCHMARKS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "cost": cost,
    "thousand": thousand,
    "resume": resume,
    "ray": through_ray,
}


@contextmanager
def listening(ledger: StudyLedger) -> Iterator[Tracker]:
    """Adds MLflow, the live table and the checkpoints as listeners of the ledger."""
    spec, screen = ledger.spec, io.StringIO()
    progress = Progress(
        Console(file=screen, force_terminal=True, width=160, height=50),
        lambda now: study_snapshot("s", spec, ledger.record, None, now, CONCURRENT),
    )
    tracker = Tracker(ledger, None, of_study(ledger))
    ledger.listeners = [progress, tracker, _Checkpoints(ledger), OptunaJournal(ledger)]
    with progress:
        yield tracker
    tracker.close(ledger.record, "KILLED")


class Parts:
    """CPU seconds of the driver's main thread, by part."""

    def __init__(
        self, ledger: StudyLedger, searcher: OptunaSearcher, scheduler: AshaScheduler
    ) -> None:
        names = ("sampler (Optuna)", "scheduler, journal", "listeners")
        self.seconds = dict.fromkeys(names, 0.0)
        for name in ("suggest", "on_trial_complete"):
            self._time(searcher, name, names[0])
        self._time(scheduler, "on_trial_result", names[1])
        self._inner = 0.0
        ledger.listeners = [self._timed(listen, names[2]) for listen in ledger.listeners]

    def _time(self, owner: Any, method: str, part: str) -> None:
        setattr(owner, method, self._timed(getattr(owner, method), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Wraps a call; its seconds exclude those of the parts that it calls."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            outer, self._inner = self._inner, 0.0
            started = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                spent = time.thread_time() - started
                self.seconds[part] += spent - self._inner
                self._inner = outer + spent

        return timed


def timed(name: str, make: Callable[[], Any]) -> Any:
    """Prints how long `make` takes, and returns its result."""
    started = time.perf_counter()
    made = make()
    print(f"{name:<28} {time.perf_counter() - started:.2f} s", flush=True)
    return made


def mark(trials: int) -> dict[str, float]:
    """Returns time, CPU time and resident memory after a number of trials."""
    resident = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    found = {"trials": trials, "wall": time.monotonic(), "cpu": time.process_time()}
    return found | {"MiB": resident}


def print_growth(marks: list[dict[str, float]]) -> None:
    """Prints time and memory for each hundred trials."""
    print("| trials | wall, ms a trial | CPU, ms a trial | resident MiB |")
    print("|---|---|---|---|")
    costs = []
    for before, now in pairwise(marks):
        trials = now["trials"] - before["trials"]
        wall, cpu = (1000 * (now[name] - before[name]) / trials for name in ("wall", "cpu"))
        costs.append(cpu)
        print(f"| {now['trials']:.0f} | {wall:.0f} | {cpu:.1f} | {now['MiB']:.0f} |")
    ends = [statistics.fmean(part) for part in (costs[:2], costs[-2:])]
    print(f"CPU a trial, last two hundreds to first two: {ends[1] / ends[0]:.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
