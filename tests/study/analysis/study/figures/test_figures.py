"""The numbers of the charts of a study that has all of them, of parts of it, and of older ones."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from study.analysis.figure import Figure
from study.analysis.study.figures import figures
from study.analysis.study.figures.triplets import why_no_triplets
from study.analysis.study.mask_events import read_mask_events
from study.analysis.study.reading import StudyData
from study.errors import InputError
from tests.study.analysis.study.made_studies import FIXED, MadeStudy
from tests.study.analysis.study.rich_studies import many_seeds, mask_events, rich_study

SETTINGS = {"effects", "pairs", "parallel", "importance"}
METHOD = {"budget", "ranks_over_events", "raster", "event_scores", "final_ranks"}
TIME = {"learning_curves", "timeline", "best_so_far", "spending"}
CLASSES = {"confusion", "calibration"}
SEEDS = {"seed_shares", "seed_differences", "seed_overlap"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    made = rich_study(tmp_path_factory.mktemp("study") / "rich")
    many_seeds(made)
    return made.read()


@pytest.fixture(scope="module")
def charts(study: StudyData) -> dict[str, Figure]:
    return {chart.name: chart for chart in figures(study, live=False)}


def test_a_study_of_everything_has_every_chart(charts: dict[str, Figure]) -> None:
    assert charts.keys() == SETTINGS | METHOD | TIME | CLASSES | SEEDS | {"race", "tradeoffs"}
    for chart in charts.values():
        assert len({len(values) for values in chart.columns.values()}) == 1, chart.name
        assert chart.heading.endswith("?"), chart.name
        assert chart.alt
        assert chart.caption.endswith("."), chart.name


def test_while_the_study_runs_nothing_is_fitted(study: StudyData) -> None:
    live = {chart.name: chart for chart in figures(study, live=True)}
    left_out = {"pairs", "importance", "raster", "event_scores", "final_ranks"} | SEEDS
    assert live.keys() == (SETTINGS | METHOD | TIME | CLASSES | {"race", "tradeoffs"}) - left_out
    assert live["effects"].columns["x"] == []
    assert "No curve: the study is still running." in live["effects"].caption


def test_a_study_without_trials_or_searched_settings_has_few_charts(tmp_path: Path) -> None:
    assert figures(MadeStudy(tmp_path / "empty").read(), live=False) == []
    fixed = MadeStudy(tmp_path / "fixed", FIXED)
    fixed.create(0, {})
    fixed.report(0, 1, 0.6, "dev_loss")
    names = {chart.name for chart in figures(fixed.read(), live=False)}
    assert names == {"learning_curves", "timeline", "tradeoffs"}


def test_maps_show_pairs_that_are_possible(charts: dict[str, Figure]) -> None:
    pairs = charts["pairs"]
    names = [pair["name"] for pair in pairs.options["pairs"]]
    assert names[:2] == ["p × bT", "b0 × bT"]
    assert {"p × lr", "prune_mode × lr"} <= set(names)
    rows = zip(*pairs.columns.values(), strict=True)
    both = [(x, y) for name, x, y, *_ in rows if name == "b0 × bT"]
    assert both
    assert all(y <= x for x, y in both)


def test_lanes_hold_trainings_that_do_not_overlap(charts: dict[str, Figure]) -> None:
    columns = charts["timeline"].columns
    for lane in set(columns["lane"]):
        spans = [
            (start, end)
            for one, start, end in zip(
                columns["lane"], columns["start"], columns["end"], strict=True
            )
            if one == lane
        ]
        for (_, before), (after, _) in pairwise(spans):
            assert before <= after + 1e-6
    (crash,) = charts["timeline"].options["crashes"]
    assert (crash["trial"], crash["reason"]) == (4, "OSError: disk full")
    assert len(charts["timeline"].options["resumed"]) == 1
    assert columns["kind"].count("race") > 5  # type: ignore[attr-defined]


def test_steps_that_were_saved_are_those_after_the_stops(
    study: StudyData, charts: dict[str, Figure]
) -> None:
    stopped = len(study.record.in_state("pruned"))
    columns = charts["spending"].columns
    saved = dict(zip(columns["outcome"], columns["steps"], strict=True))
    assert saved["stopped early"] == 30 * stopped
    assert saved["not spent"] == 50 * stopped
    assert f"saved {50 * stopped:,} steps" in charts["spending"].caption


def test_the_paper_is_shown_where_it_has_the_task(charts: dict[str, Figure]) -> None:
    points = {point["name"]: point for point in charts["tradeoffs"].options["paper"]}
    own = points["OPT-125M, AdaLoRA+RS"]
    assert (own["score"], own["trainable_parameters"], own["own"]) == (0.571, 1_000_000, True)
    assert len(points) == 16
    assert not points["OPT-350M, LoRA"]["own"]
    assert "test scores" in charts["tradeoffs"].caption


def test_the_race_tells_runs_that_chose_from_those_that_confirm(
    study: StudyData, charts: dict[str, Figure]
) -> None:
    race = charts["race"]
    assert study.record.winner is not None
    winner = study.record.winner.trial
    assert race.options["candidates"][0] == race.options["winner"] == winner
    kinds = {
        (trial, kind)
        for trial, kind in zip(race.columns["trial"], race.columns["kind"], strict=True)
    }
    assert {kind for trial, kind in kinds if trial == winner} >= {"search", "choosing"}
    assert all(trial == winner for trial, kind in kinds if kind == "confirming")


def test_the_raster_has_every_event_of_winner_and_candidates(
    study: StudyData, charts: dict[str, Figure]
) -> None:
    first, *others = charts["raster"].options["runs"]
    assert study.record.winner is not None
    assert first["trial"] == study.record.winner.trial
    assert first["name"].endswith("the weights in best/")
    assert others
    events = read_mask_events(study.folder.best / "mask_events.npz")
    assert events is not None
    assert first["steps"] == events.steps
    assert first["modules"][:2] == ["0 q", "0 k"]
    columns = charts["raster"].columns
    for place, codes in enumerate(first["outcomes"]):
        kept, top = events.kept[place], events.top[place]
        counts = [int((~kept & ~top).sum()), int((kept & ~top).sum()), int((top & ~kept).sum())]
        assert [codes.count(code) for code in "012"] == counts
        assert columns["pruned"][place] == counts[0]
        assert columns["dropped"][place] == counts[2]


def test_final_ranks_are_means_over_the_runs_of_a_trial(
    study: StudyData, charts: dict[str, Figure]
) -> None:
    chart = charts["final_ranks"]
    assert study.record.winner is not None
    winner = study.record.winner.trial
    rows = list(zip(*chart.columns.values(), strict=True))
    assert rows[0][:3] == (winner, "0", "q")
    assert chart.options["runs"][str(winner)] == rows[0][5] == 6
    values = [study.trace[-1]["ranks"]["model.decoder.layers.0.self_attn.q_proj"]]
    for run in range(5):
        with np.load(study.folder.finalists / "outputs" / f"run-{run:05d}.npz") as file:
            place = file["modules"].tolist().index("model.decoder.layers.0.self_attn.q_proj")
            values.append(int(file["kept"][place].sum()))
    assert rows[0][3] == pytest.approx(np.mean(values))
    assert rows[0][4] == pytest.approx(np.std(values, ddof=1))


def test_a_folder_of_an_earlier_version_says_that_it_has_no_triplets(tmp_path: Path) -> None:
    made = rich_study(tmp_path / "older", trials=12, fits=False)
    (made.folder.best / "mask_events.npz").unlink()
    for path in (made.folder.finalists / "outputs").iterdir():
        with np.load(path) as file:
            arrays = {name: file[name] for name in ("modules", "kept")}
        np.savez(path, **arrays)
    study = made.read()
    charts = figures(study, live=False)
    names = {chart.name for chart in charts}
    assert {"budget", "final_ranks"} <= names
    assert not {"raster", "event_scores"} & names
    assert "an earlier version" in why_no_triplets(study, charts, live=False)


@pytest.mark.parametrize("damage", ["cut", "shapes"])
def test_a_damaged_file_of_mask_events_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mask_events.npz"
    arrays = mask_events(np.random.default_rng(0))
    if damage == "shapes":
        arrays["event_kept"] = arrays["event_kept"][:2]
    np.savez(path, **arrays)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(
        InputError, match="must have the triplets that a run kept, but got"
    ) as error:
        read_mask_events(path)
    assert "\n" not in str(error.value)


def test_the_data_of_the_charts_are_json(charts: dict[str, Figure]) -> None:
    for chart in charts.values():
        json.dumps(chart.as_json(), default=float)
