"""Scores of classifiers without a pretrained backbone, with which every study is compared."""

import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from study.engine.console.lines import warn
from study.spec.task import TaskSpec
from study.storage.events import BaselineMeasured
from study.storage.ledger import Ledger
from study.tasks import Task, load_task
from study.tasks.baselines import BASELINES

QUICK, CNN = ("majority", "gc", "kmer"), "cnn"
MOST_ROWS = 200_000
"""With more rows of all splits together the counts of 5-mers would need more than 1 GiB."""
NICE = 10
"""Of the thread that trains the cnn: it gives way to the trials."""
PATIENCE = 120.0
"""How long the end of a study waits for the cnn, in seconds."""

Scores = dict[str, dict[str, float]]
"""Baseline -> metric with its split -> score."""


class Baselines:
    """The baselines of a study, computed in a thread: the quick ones, then the cnn.

    The quick ones take about 1 s of CPU time for 4,500 sequences of 300 bases while Ray starts;
    the cnn at most about 20 s, beside the trials.
    """

    def __init__(self, task: TaskSpec, known: Mapping[str, object] | None = None) -> None:
        """Starts the thread; `known` are the baselines in the journal, None for a new study."""
        self._spec = task
        self._task: Task | None = None
        self._stop = threading.Event()
        pool = ThreadPoolExecutor(1, "baselines")
        try:
            self._quick = pool.submit(self._measure) if known is None else None
            self._cnn: Future[dict[str, float] | None] | None = None
            if CNN not in (known or {}):
                self._cnn = pool.submit(self._train)
        finally:
            pool.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()  # The process does not end before the thread.

    def quick(self) -> Scores:
        """Returns the scores of the quick baselines of a new study, once they are computed.

        Raises:
            InputError: the data have changed since they were checked.
        """
        return {} if self._quick is None else self._quick.result()

    def record_cnn(self, ledger: Ledger, *, wait: bool) -> None:
        """Journals the scores of the cnn, once, if they are known or become so within a while."""
        if self._cnn is None or not (wait or self._cnn.done()):
            return
        future, self._cnn = self._cnn, None
        try:
            scores = future.result(PATIENCE)
        except (MemoryError, RuntimeError, TimeoutError) as error:
            found = str(error).partition("\n")[0] or type(error).__name__
            warn(f"the baseline cnn was not measured: {found}")
            return
        if scores is not None:
            ledger.append(BaselineMeasured(name=CNN, scores=scores))

    def _load(self) -> Task:
        if self._task is None:
            self._task = load_task(self._spec)
        return self._task

    def _measure(self) -> Scores:
        data = self._load()
        rows = len(data.train) + len(data.dev) + len(data.test)
        names = QUICK if rows <= MOST_ROWS else QUICK[:2]
        return {name: BASELINES[name](data) for name in names}

    def _train(self) -> dict[str, float] | None:
        if sys.platform == "linux":  # Where threads have a priority of their own.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        from study.training.cnn_baseline import Stopped, cnn, is_too_large

        data = self._load()
        try:
            return None if is_too_large(data) else cnn(data, self._stop.is_set)
        except Stopped:
            return None
