from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from study.analysis.benchmark.pareto import coordinates, pareto_front, pareto_panels, records
from study.analysis.benchmark.reading import read_benchmark
from tests.study.analysis.benchmark.made_results import full_grid, run, write

points = st.tuples(st.sampled_from([1.0, 2.0, 3.0, 5.0]), st.sampled_from([-0.1, 0.0, 0.2, 0.3]))


@given(st.lists(points, max_size=12))
def test_the_front_has_the_points_that_no_other_point_dominates(
    found: list[tuple[float, float]],
) -> None:
    def dominated(point: tuple[float, float]) -> bool:
        return any(
            other != point and other[0] <= point[0] and other[1] >= point[1] for other in found
        )

    assert pareto_front(found) == {point for point in found if not dominated(point)}


def test_points_at_the_same_place_are_both_on_the_front(tmp_path: Path) -> None:
    rows = [
        run("a", "own", "lora", 0, 0.5, trainable_parameters=100),
        run("b", "own", "lora", 0, 0.5, trainable_parameters=100),
        run("b", "own", "fmft", 0, 0.4, trainable_parameters=200),
    ]
    (panel,) = pareto_panels(read_benchmark(write(tmp_path, rows)))
    assert [(p.backbone, p.method, p.on_front) for p in panel.points] == [
        ("a", "lora", True),
        ("b", "fmft", False),
        ("b", "lora", True),
    ]


def test_a_point_without_parameters_or_score_has_no_coordinates(tmp_path: Path) -> None:
    rows = [
        run("a", "own", "lora", 0, 0.5),
        run("a", "own", "fmft", 0, state="failed", trainable_parameters=100),
    ]
    (panel,) = pareto_panels(read_benchmark(write(tmp_path, rows)))
    assert not panel.drawable
    assert [record["front"] for record in records([panel])] == [None, None]


def test_h3_comes_first_and_the_others_as_in_the_tables(tmp_path: Path) -> None:
    tasks = ["own", "emp/H3K4me1", "prom/all", "emp/H3"]
    found = pareto_panels(read_benchmark(write(tmp_path, [run("a", t, "lora", 0) for t in tasks])))
    assert [panel.task for panel in found] == ["emp/H3", "emp/H3K4me1", "prom/all", "own"]


def test_the_paper_has_a_point_where_it_has_an_mcc(tmp_path: Path) -> None:
    rows = [run("opt-350m", task, "fmft", 0) for task in ("emp/H3", "prom/all")]
    first, second = records(pareto_panels(read_benchmark(write(tmp_path, rows))))
    assert (first["paper"], first["paper_trainable_parameters"]) == (0.801, 350e6)
    assert (second["paper"], second["paper_trainable_parameters"]) == (None, None)


def test_points_have_parameters_at_the_start_and_csv_rows_those_kept(tmp_path: Path) -> None:
    pruned = {"trainable_parameters": 1100, "adapter_parameters": 1000, "head_parameters": 100}
    whole = {"trainable_parameters": 9100, "adapter_parameters": 0, "head_parameters": 100}
    rows = [
        # Earlier versions counted no kept parameters under full fine-tuning.
        run("a", "own", "fmft", 0, 0.6, kept_parameters=0, **whole),
        run("a", "own", "fmft", 1, 0.6, kept_parameters=9000, **whole),
        run("a", "own", "lora", 0, 0.4, trainable_parameters=700),
        run("a", "own", "adalora", 0, 0.5, kept_parameters=600, **pruned),
        run("a", "own", "adalora", 1, 0.5, kept_parameters=300, **pruned),
        run("a", "own", "adalora", 2, state="failed", kept_parameters=1000, **pruned),
    ]
    (panel,) = pareto_panels(read_benchmark(write(tmp_path, rows)))
    assert [coordinates(point.cell) for point in panel.points] == [
        (9100, 0.6),
        (700, 0.4),
        (1100, 0.5),
    ]
    parameters = {
        r["method"]: (r["trainable_parameters"], r["kept_parameters"]) for r in records([panel])
    }
    assert parameters == {"fmft": (9100, 9100), "lora": (700, None), "adalora": (1100, 450 + 100)}


def test_baselines_are_not_points_but_have_an_mcc(tmp_path: Path) -> None:
    rows = [run("", "own", "kmer", "", 0.4), run("", "own", "gc", "", "")]
    (panel,) = pareto_panels(read_benchmark(write(tmp_path, rows)))
    assert (panel.points, panel.baselines) == ([], [("kmer", 0.4)])


def test_every_cell_of_the_full_grid_has_a_csv_row(tmp_path: Path) -> None:
    found = records(pareto_panels(read_benchmark(write(tmp_path, full_grid(seeds=1)))))
    assert len(found) == 13 * 8 * 4
    assert sum(record["front"] or 0 for record in found) >= 13
