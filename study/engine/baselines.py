"""Scores of classifiers without a backbone, with which every study is compared."""

from concurrent.futures import Future, ThreadPoolExecutor

from study.spec.task import TaskSpec
from study.tasks import load_task
from study.tasks.baselines import BASELINES

NAMES = ("majority", "kmer")
MOST_ROWS = 200_000
"""With more rows of all splits together the counts of 5-mers would need more than 1 GiB."""

Scores = dict[str, dict[str, float]]
"""Baseline -> metric with its split -> score."""


def measured_in_background(task: TaskSpec) -> Future[Scores]:
    """Returns the scores of the baselines, computed in a thread while Ray starts.

    About 1 s of CPU time for 4,500 sequences of 300 bases.
    """
    pool = ThreadPoolExecutor(1, "baselines")
    try:
        return pool.submit(measure, task)
    finally:
        pool.shutdown(wait=False)


def measure(task: TaskSpec) -> Scores:
    """Returns the scores of the baselines on dev and test.

    Raises:
        InputError: the data have changed since they were checked.
    """
    data = load_task(task, search=False)
    rows = len(data.train) + len(data.dev) + len(data.test)
    names = NAMES if rows <= MOST_ROWS else NAMES[:1]
    return {name: BASELINES[name](data) for name in names}
