"""A benchmark may grow between two runs of the driver; what is there must stay as it was."""

from pathlib import Path

from study.engine.folder import Changes
from study.spec.benchmark_loading import Benchmark, load_benchmark


def changes_of_benchmark(now: Benchmark) -> Changes:
    """What is missing or set otherwise than before; more cells and seeds are welcome.

    How many resources are used may change.
    """

    def changes(file: Path) -> list[str]:
        before = load_benchmark(str(file))
        after = _settings(now)
        found = [
            f"{what} ({'left out' if what not in after else 'set otherwise'})"
            for what, settings in _settings(before).items()
            if after.get(what) != settings
        ]
        more = [f"and {len(found) - 3} more"] if len(found) > 3 else []
        return ["; ".join([*found[:3], *more])] if found else []

    return changes


def _settings(benchmark: Benchmark) -> dict[str, object]:
    """Of every cell and seed by name: what decides its results."""
    cells: dict[str, object] = {
        cell.named: cell.spec.model_dump(exclude={"resources", "search", "scheduler"})
        for cell in benchmark.cells
    }
    return cells | {f"seed {seed}": seed for seed in benchmark.spec.seeds}
