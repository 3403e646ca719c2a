"""Everything that results.csv says, written into the benchmark folder."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from study.analysis import html
from study.analysis.benchmark import page
from study.analysis.benchmark.reading import read_benchmark
from study.analysis.benchmark.sections import STEMS, Section, sections
from study.analysis.benchmark.sheets import markdown

ENDINGS = (".csv", ".md", ".png")


def write_tables(folder: Path) -> list[Path]:
    """Writes tables/ and report.html from results.csv; returns the files, the page last.

    A table of tasks that the benchmark does not have is not written, and one of an earlier
    results.csv is removed. No file is ever half written.

    Raises:
        InputError: there is no results.csv, it cannot be understood (`read_benchmark`), or a
            file cannot be written.
    """
    benchmark = read_benchmark(folder)
    found = sections(benchmark)
    tables = folder / "tables"
    files = {tables / name: content for section in found for name, content in _files(section)}
    files[folder / "report.html"] = page.render(benchmark, found)
    for path, content in files.items():
        html.write(path, content)
    for stem in STEMS:
        for ending in ENDINGS:
            if (stale := tables / (stem + ending)) not in files:
                stale.unlink(missing_ok=True)
    return list(files)


def _files(section: Section) -> list[tuple[str, str | bytes]]:
    found: list[tuple[str, str | bytes]] = [
        (f"{section.stem}.csv", _csv(section.records)),
        (f"{section.stem}.md", _markdown(section)),
    ]
    if section.picture is not None:
        found.append((f"{section.stem}.png", section.picture))
    return found


def _csv(records: list[dict[str, Any]]) -> str:
    """Numbers to six places, counts whole; what there is none of is empty."""
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


def _markdown(section: Section) -> str:
    return "\n".join([f"# {section.title}\n", f"{section.note}\n", *map(markdown, section.sheets)])
