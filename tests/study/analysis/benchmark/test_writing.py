import base64
import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.analysis import drawing
from study.analysis.benchmark.sections import STEMS
from study.analysis.benchmark.writing import write_tables
from study.errors import InputError
from study.report import main
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.benchmark.made_results import Row, full_grid, run, small_benchmark, write

ENDINGS = (".csv", ".md", ".png")
BACKBONES = ("opt-125m", "dnabert-2", "nt-2.5b-1000g", "nt-2.5b-multi-species")
"""Those of the grid: the last but one is unfinished, the last unavailable."""


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stems(paths: list[Path]) -> list[str]:
    """The tables and figures for a paper; not the page and the numbers of its chart."""
    return list(dict.fromkeys(path.stem for path in paths if path.parent.name == "tables"))


def page_of(folder: Path) -> Balanced:
    return Balanced((folder / "report.html").read_text())


@pytest.fixture(scope="module", autouse=True)
def _small_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "DPI", 30)
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """The folder of the paper's tasks and methods, and the files that were written there."""
    folder = write(
        tmp_path_factory.mktemp("full") / "paper_tables", full_grid(backbones=BACKBONES)
    )
    return folder, write_tables(folder)


@pytest.fixture(scope="module")
def grid(written: tuple[Path, list[Path]]) -> Path:
    """The folder of the paper's tasks and methods, with all files."""
    return written[0]


def tiny() -> list[Row]:
    """Three methods on one task of the user's own."""
    return [
        run("a", "own", method, 0, mcc, 0.7, trainable_parameters=100)
        for method, mcc in (("fmft", 0.5), ("lora", 0.4), ("adalora", 0.3))
    ]


def test_the_papers_grid_has_every_file_and_the_page_last(
    written: tuple[Path, list[Path]],
) -> None:
    folder, found = written
    names = [f"{stem}{ending}" for stem in STEMS for ending in ENDINGS]
    names.remove("method_pairs.png")
    tables = [folder / "tables" / name for name in names]
    charts = [folder / "figures" / f"{name}.csv" for name in ("scores", "profiles")]
    assert found == [*tables, *charts, folder / "report.html"]
    assert all(path.stat().st_size > 0 for path in found)
    assert sorted(p.name for p in (folder / "tables").iterdir()) == sorted(names)


def test_the_csv_files_have_every_cell_once(grid: Path) -> None:
    rows = rows_of(grid / "tables" / "all_mcc.csv")
    assert len(rows) == 13 * (4 * 4 + 3)
    assert len({(r["task"], r["backbone"], r["method"]) for r in rows}) == len(rows)
    assert {r["metric"] for r in rows} == {"test_mcc"}
    assert len(rows_of(grid / "tables" / "table2_auc.csv")) == 3 * 19
    assert len(rows_of(grid / "tables" / "tableS2_mcc.csv")) == 10 * 19


def test_runs_are_counted_and_none_is_lost(grid: Path) -> None:
    counted = ("n", "failed", "running", "planned", "unavailable")
    total = sum(int(r[c]) for r in rows_of(grid / "tables" / "all_mcc.csv") for c in counted)
    assert total == len(rows_of(grid / "results.csv"))


def test_unavailable_cells_have_only_published_numbers(grid: Path) -> None:
    rows = rows_of(grid / "tables" / "all_mcc.csv")
    unavailable = [r for r in rows if r["backbone"] == "nt-2.5b-multi-species"]
    assert {(r["mean"], r["sd"], r["n"]) for r in unavailable} == {("", "", "0")}
    assert all(r["gue_anchor"] and r["gue_anchor_method"] == "lora" for r in unavailable)


def test_the_page_is_complete_and_fetches_nothing(grid: Path) -> None:
    text = (grid / "report.html").read_text()
    page = Balanced(text)
    assert len(page.sources) == 6
    for source in page.sources:
        kind, encoded = source.split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(encoded).startswith(b"\x89PNG")
    assert not {"iframe", "object", "embed"} & set(page.tags)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "url(" not in text.split("<script")[0]


def test_the_page_counts_runs_and_gives_reasons(grid: Path) -> None:
    runs = rows_of(grid / "results.csv")
    states = [r["state"] for r in runs]
    words = page_of(grid).text
    assert "260unavailable" in words
    assert f"{states.count('complete')}complete {states.count('failed')}failed" in words
    assert "nothing can be reached, and the weights are in no cache" in words
    assert "the loss is not finite at step 120" in words
    pending = states.count("planned")
    assert f"The benchmark is not finished: {pending} of {len(runs)} runs" in words
    collapsed = sum(r["test_mcc"] == "0.0" and r["method"] != "majority" for r in runs)
    assert f"{collapsed}collapsed" in words


def test_the_page_explains_how_to_read_and_the_sampling_error(grid: Path) -> None:
    words = page_of(grid).text
    assert "How to read" in words
    assert "Sampling error of the test splits" in words
    assert "613" in words


def test_the_users_own_tasks_have_the_tables_of_every_task(tmp_path: Path) -> None:
    folder = write(tmp_path, small_benchmark())
    assert stems(write_tables(folder)) == [
        "all_mcc",
        "all_auc",
        "table3_top2",
        "figure1_pareto",
        "method_pairs",
    ]
    counts = rows_of(folder / "tables" / "table3_top2.csv")
    assert {(r["group"], r["among"], r["of"], r["paper"]) for r in counts} == {
        ("other", "methods", "3", "")
    }
    by_method = {r["method"]: r["top2"] for r in counts}
    assert by_method["fmft"] == "3"
    assert by_method["lora_random_weights"] == "0"
    assert "is not finished" not in page_of(folder).text


def test_only_baselines_give_scores_and_no_figure(tmp_path: Path) -> None:
    rows = [run("", "own", "kmer", "", 0.4, 0.7), run("", "own", "majority", "", 0.0, 0.5)]
    assert stems(write_tables(write(tmp_path, rows))) == ["all_mcc", "all_auc"]
    assert [r["mean"] for r in rows_of(tmp_path / "tables" / "all_mcc.csv")] == ["0.0", "0.4"]
    assert "Sampling error of the test splits" not in page_of(tmp_path).text


@pytest.mark.parametrize("state", ["planned", "running", "failed", "unavailable"])
def test_nothing_complete_is_a_report_with_empty_cells(tmp_path: Path, state: str) -> None:
    rows: list[Row] = [
        run(backbone, task, "lora", seed, state=state)
        for backbone in ("mine", "nt-2.5b-1000g")
        for task in ("emp/H3", "prom/all")
        for seed in range(2)
    ]
    found = write_tables(write(tmp_path, rows))
    assert tmp_path / "tables" / "figure1_pareto.png" not in found
    assert {r["mean"] for r in rows_of(tmp_path / "tables" / "all_mcc.csv")} == {""}
    assert "There is nothing to draw yet." in page_of(tmp_path).text


def test_only_the_paper_has_numbers_and_they_are_drawn(tmp_path: Path) -> None:
    rows = [run("opt-125m", "emp/H3", m, 0, state="unavailable") for m in ("fmft", "lora")]
    found = write_tables(write(tmp_path, rows))
    assert tmp_path / "tables" / "figure1_pareto.png" in found
    assert [r["paper"] for r in rows_of(tmp_path / "tables" / "tableS2_mcc.csv")] == [
        "0.74",
        "0.505",
    ]


def test_tables_of_tasks_that_are_gone_are_removed(tmp_path: Path) -> None:
    write_tables(write(tmp_path, [run("a", "emp/H3", "lora", 0, 0.5, 0.7)]))
    (tmp_path / "tables" / "mine.txt").write_text("kept")
    assert (tmp_path / "tables" / "tableS2_mcc.md").is_file()
    write_tables(write(tmp_path, [run("a", "own", "lora", 0, 0.5, 0.7)]))
    assert not list((tmp_path / "tables").glob("tableS2_mcc.*"))
    assert (tmp_path / "tables" / "mine.txt").is_file()
    assert not list(tmp_path.rglob("*.partial"))


def test_writing_twice_gives_the_same_files(tmp_path: Path) -> None:
    folder = write(tmp_path, tiny())
    first = [path.read_bytes() for path in write_tables(folder)]
    assert [path.read_bytes() for path in write_tables(folder)] == first


def test_text_of_a_run_is_escaped(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    rows = [
        run(name, name, "lora", 0, state="failed", reason=name),
        run("a", "own", "lora", 0, 0.4),
    ]
    write_tables(write(tmp_path, rows))
    assert "<script>alert" not in (tmp_path / "report.html").read_text()
    assert name in page_of(tmp_path).text


def test_the_figure_explains_parameters_at_the_start_and_kept(tmp_path: Path) -> None:
    counts = {"trainable_parameters": 110, "adapter_parameters": 100, "head_parameters": 10}
    rows = [run("a", "own", "adalora", 0, 0.4, 0.6, kept_parameters=40, **counts)]
    write_tables(write(tmp_path, rows))
    (row,) = rows_of(tmp_path / "tables" / "figure1_pareto.csv")
    assert (row["trainable_parameters"], row["kept_parameters"]) == ("110.0", "50.0")
    expected = "AdaLoRA and AdaLoRA+RS prune their adapters and end with fewer"
    assert expected in page_of(tmp_path).text
    assert expected in (tmp_path / "tables" / "figure1_pareto.md").read_text()


def test_names_with_dollar_signs_are_drawn_as_they_are(tmp_path: Path) -> None:
    rows = [run("a$_x$", "$\\frac$", "b$", 0, 0.4, 0.6, trainable_parameters=5)]
    assert write_tables(write(tmp_path, rows))


def test_bad_results_leave_existing_files(tmp_path: Path) -> None:
    write_tables(write(tmp_path, tiny()))
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"must have the columns 'backbone', .*, but got a, b"):
        write_tables(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_the_report_command_writes_the_tables_of_a_benchmark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "small", tiny())
    assert main([str(folder)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == str(folder / "report.html")
    assert str(folder / "tables" / "all_mcc.md") in printed


def test_the_report_command_refuses_bad_results_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.csv").write_text("backbone\n")
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.process
def test_the_tables_need_neither_ray_nor_torch_nor_pyplot(tmp_path: Path) -> None:
    folder = write(tmp_path, tiny())
    code = (
        "import sys; from study.report import main; status = main(sys.argv[1:]);"
        "heavy = {'ray', 'torch', 'transformers', 'mlflow', 'pandas', 'matplotlib.pyplot'};"
        "sys.exit(status or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
