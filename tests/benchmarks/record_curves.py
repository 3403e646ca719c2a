"""Makes a table of learning curves in tests/data from the journal of a study.

    python -m tests.benchmarks.record_curves RUNS/promoters --out tests/data/curves_promoters.csv
    python -m tests.benchmarks.record_curves RUNS/tata --out tests/data/curves_tata.csv

The studies train random configurations of a space to the end, with the score at the final budget
at every report:

    python -m study.run --space adalora_rs.yaml --storage RUNS --name promoters --trials 60
        --set scheduler.name=none --set scheduler.score=at_bT --set 'search.sampler={name: random}'
    python -m study.run ... --name tata --set task.path=GUE_PROM_300_TATA

The table has one row for each report of every complete trial. The space is written to a YAML file
of the same name. Seconds are training time on the recording machine, without evaluation.
"""

# ruff: noqa: T201
import argparse
from pathlib import Path

import pandas as pd

from study.spec import StudySpec, dump_spec, load_spec
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

SCORE, SCORE_AT_BT, SECONDS = "dev_mcc", "dev_mcc_at_bT", "train_seconds"


def main() -> None:
    """Writes the csv and the YAML file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="the folder of the recorded study")
    parser.add_argument("--out", type=Path, required=True, help="the csv to write")
    arguments = parser.parse_args()
    record_curves(StudyFolder(arguments.study), arguments.out)
    size = arguments.out.stat().st_size
    configurations = pd.read_csv(arguments.out)["trial"].nunique()
    print(f"{configurations} configurations, {size / 1024:.0f} KiB in {arguments.out}")


def record_curves(folder: StudyFolder, out: Path) -> None:
    """Writes the table of a study's complete trials, and its space."""
    spec = load_spec(str(folder.spec), [])
    record = StoredStudy.read(folder).study_record()
    rows = [
        {"trial": trial.number}
        | {name: _rounded(value) for name, value in trial.params.items()}
        | {"report": report.report, "step": report.step}
        | {name: round(report.metrics[name], 6) for name in (SCORE, SCORE_AT_BT)}
        | {SECONDS: round(report.metrics[SECONDS], 2)}
        for trial in record.in_state("complete")
        for report in trial.reports
    ]
    pd.DataFrame(rows).to_csv(out, index=False)
    space_of(out).write_text(dump_spec(_space(spec)), encoding="utf-8")


def space_of(table: Path) -> Path:
    """Returns the path of a table's space."""
    return table.with_suffix(".yaml")


def _space(spec: StudySpec) -> StudySpec:
    """Returns the parts of a spec that a simulated study needs: no data, backbone or paths."""
    return StudySpec(adapter=spec.adapter, training=spec.training)


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


if __name__ == "__main__":
    main()
