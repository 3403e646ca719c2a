"""Writes the tables, figures and report.html of a benchmark folder."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.benchmark import page
from study.analysis.benchmark.answer import figure, profiles
from study.analysis.benchmark.method_pairs import cell_pairs, method_pairs
from study.analysis.benchmark.next_runs import next_runs
from study.analysis.benchmark.reading import read_benchmark
from study.analysis.benchmark.sections import STEMS, ResultSection, sections
from study.analysis.benchmark.text_tables import markdown

ENDINGS = (".csv", ".md", ".png")


def write_tables(folder: Path) -> list[Path]:
    """Writes tables/, figures/ and report.html from results.csv; returns the files, the page last.

    Tables of tasks that the benchmark does not have are not written, and those of an earlier
    results.csv are removed. Each file is replaced atomically.

    Raises:
        InputError: results.csv is missing or invalid (`read_benchmark`), or a file cannot be
            written.
    """
    benchmark = read_benchmark(folder)
    cells = cell_pairs(benchmark)
    pairs = method_pairs(cells)
    parts = sections(benchmark, pairs)
    tables = folder / "tables"
    files = {tables / name: content for section in parts for name, content in _files(section)}
    for chart in (figure(benchmark), profiles(benchmark)):
        if chart is not None:
            files[folder / "figures" / f"{chart.name}.csv"] = chart.csv()
    files[folder / "report.html"] = page.render(benchmark, parts, pairs, next_runs(cells))
    for path, content in files.items():
        html.write(path, content)
    for stem in STEMS:
        for ending in ENDINGS:
            if (stale := tables / (stem + ending)) not in files:
                stale.unlink(missing_ok=True)
    return list(files)


def _files(section: ResultSection) -> list[tuple[str, str | bytes]]:
    files: list[tuple[str, str | bytes]] = [
        (f"{section.stem}.csv", _csv(section.records)),
        (f"{section.stem}.md", _markdown(section)),
    ]
    if section.picture is not None:
        files.append((f"{section.stem}.png", section.picture))
    return files


def _csv(records: list[dict[str, Any]]) -> str:
    """Returns csv text: floats to six places, large whole ones as integers, None as empty."""
    text = StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: _rounded(value) for key, value in record.items()})
    return text.getvalue()


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value) if value.is_integer() and abs(value) >= 1000 else round(value, 6)


def _markdown(section: ResultSection) -> str:
    return "\n".join([f"# {section.title}\n", f"{section.note}\n", *map(markdown, section.tables)])
