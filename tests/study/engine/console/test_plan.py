"""The printed plan, in the 80 columns of a pipe."""

import io
import re

import pytest
from rich.console import Console

from study.engine.console.plan import print_data, print_plan
from study.engine.preparation import prepare_data
from study.engine.resources import Resources
from study.models import empty_backbone
from study.models.info import inspect_backbone
from study.spec import load_spec
from study.spec.rungs import rungs
from study.training.encoding import EncodedTask, encode_split
from study.training.forecast import forecast

DATA = EncodedTask("made", 2, 1, *[encode_split([[5] * 90] * 960, [0, 1] * 480)] * 3)
FIXED = ("adapter.b0=12", "adapter.bT=6", "adapter.deltaT=0.1", "adapter.p=0.1",
         "training.lr=1e-3", "adapter.beta1=0.85", "adapter.beta2=0.85", "training.steps=240",
         "training.epochs=null")  # fmt: skip

ASHA = ("scheduler={name: asha, reduction_factor: 2, grace_fraction: 0.5}", "training.reports=6")


def plan_of(
    space: str, *overrides: str, data: EncodedTask = DATA, schedules: bool = True
) -> list[str]:
    """The lines of the plan at width 80; a table's columns are two or more spaces apart."""
    spec = load_spec(space, overrides)
    info = inspect_backbone("opt-dna-mini")
    points = forecast(spec, len(data.train), empty_backbone(info, num_labels=2))
    console = Console(width=80, record=True, file=io.StringIO())
    print_plan(
        console, spec, info, data, points, rungs(spec), Resources(1, 0.0, 2), None, schedules
    )
    text = console.export_text()
    assert "…" not in text
    return [line.strip() for line in text.splitlines()]


def table(lines: list[str], title: str) -> list[list[str]]:
    """The header and the rows of a table; each has as many cells as the header."""
    rest = lines[lines.index(title) + 1 :]
    rows = [re.split(r" {2,}", line) for line in rest[: rest.index("")] if "──" not in line]
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def only(lines: list[str], start: str) -> str:
    (line,) = [line for line in lines if line.startswith(start)]
    return line


def test_corners_of_adalora_rs_are_named_by_their_settings() -> None:
    lines = plan_of("adalora_rs", "training.steps=240")
    header, low, high, *_ = table(lines, "schedules at the corners of the space")
    assert header == ["b0", "bT", "deltaT", "mask events", "first at", "triplets"]
    assert low[:3] == ["6", "2", "0.02"]
    assert low[-1] == "144 → 59 → 48"
    assert high[:3] == ["14", "14", "0.3"]
    assert high[-1] == "336"
    header, *rows = table(lines, "trainable parameters at the start")
    assert header == ["b0", "adapter parameters", "total parameters"]
    assert rows[0] == ["6", "69,264", "69,584"]
    assert [row[0] for row in rows] == ["6", "14", "10"]


def test_schedules_and_mask_events_are_printed_only_when_asked_for() -> None:
    short, long = (plan_of("adalora_rs", *ASHA, schedules=asked) for asked in (False, True))
    assert [line for line in long if line not in short]
    assert [line for line in short if line not in long] == []
    assert not [
        line for line in short if line.startswith(("schedules", "mask events", "trainable"))
    ]
    assert only(short, "ASHA rungs")


def test_the_name_of_the_backbone_is_explained() -> None:
    lines = plan_of("adalora_rs", "adapter.matrices=[q, f1]", "backbone.weights=random")
    place = lines.index(only(lines, "backbone "))
    assert lines[place : place + 3] == [
        "backbone   opt-dna-mini: opt, 4 layers x 160, up to 320 tokens; random weights, seed 0",
        "model      OPTForSequenceClassification, tokens BPE, head of 320 parameters on the "
        "last token",
        "adapts     self_attn.q_proj, fc1 in each layer",
    ]
    assert not [line for line in plan_of("fmft") if line.startswith("adapts ")]
    assert "random" not in only(plan_of("fmft"), "backbone ")


def test_settings_that_all_corners_share_are_printed_once_above_the_tables() -> None:
    lines = plan_of("adalora_rs", "adapter.deltaT=9")
    line = only(lines, "all trials")
    assert re.fullmatch(r"all trials deltaT 9, steps \d+, T \d+, .*, head parameters 320", line)
    header, *_ = table(lines, "schedules at the corners of the space")
    assert header == ["b0", "bT", "triplets"]


def test_corners_of_lora_are_named_by_their_rank() -> None:
    lines = plan_of("lora")
    header, *rows = table(lines, "trainable parameters at the start")
    assert header == ["rank", "adapter parameters", "total parameters"]
    assert rows[0] == ["4", "46,080", "46,400"]
    assert "schedules at the corners of the space" not in lines


def test_full_fine_tuning_fits_one_line() -> None:
    lines = plan_of("fmft")
    assert only(lines, "all trials").endswith(
        "adapter parameters 0, head parameters 320, total parameters 1,309,760"
    )
    assert "trainable parameters at the start" not in lines


def test_steps_that_differ_between_corners_name_the_setting() -> None:
    lines = plan_of("fmft", "training.batch_size={type: categorical, choices: [8, 32]}",
                    "training.steps=null", "training.epochs=1")  # fmt: skip
    header, *rows = table(lines, "schedules at the corners of the space")
    assert header == ["batch size", "steps"]
    assert ["8", "120"] in rows
    assert ["32", "30"] in rows


def test_a_space_without_domains_is_one_trial_and_has_no_tables() -> None:
    lines = plan_of("adalora_rs", *FIXED)
    assert only(lines, "search ") == (
        "search     1 trial, as the space has no domain; maximizing dev_mcc"
    )
    assert only(lines, "all trials").startswith("all trials b0 12, bT 6, deltaT 0.1, steps 240")
    assert "triplets 288 → " in only(lines, "all trials")
    assert "searched" not in lines


def test_a_table_that_is_too_wide_is_split_without_loss() -> None:
    lines = plan_of(
        "adalora_rs",
        "adapter.final_fraction={type: float, low: 0.1, high: 0.3}",
        "adapter.warmup_steps={type: int, low: 0, high: 12}",
        "training.batch_size={type: categorical, choices: [8, 32]}",
        "training.steps=null",
        "training.epochs=3",
    )
    start = lines.index("schedules at the corners of the space")
    end = lines.index("trainable parameters at the start")
    assert max(map(len, lines[start:end])) <= 80
    words = " ".join(lines[start:end]).split()
    assert {"b0", "bT", "deltaT", "warmup", "steps", "batch", "size", "T"} <= set(words)
    assert {"mask", "events", "first", "at", "triplets", "0.0775", "336", "227", "216"} <= set(
        words
    )


def test_the_rungs_follow_the_tables() -> None:
    assert plan_of("adalora_rs", *FIXED, *ASHA)[-1] == (
        "ASHA rungs, one trial in 2 continues: "
        "step 120 (report 3, 52% of the triplets left, budget phase pruning)"
    )
    audited = plan_of("adalora_rs", *FIXED, *ASHA, "scheduler.audit=0.1")[-1]
    assert audited.endswith("; after the search 10% of the stopped trials train to the end")


@pytest.mark.parametrize(("trials", "planned"), [(50, 3), (2, 2)])
def test_a_grid_has_no_more_trials_than_points(trials: int, planned: int) -> None:
    lines = plan_of(
        "lora", "adapter.rank={type: int, low: 4, high: 6}", "training.lr=1e-3",
        "search.sampler={name: grid}", f"search.trials={trials}",
    )  # fmt: skip
    assert only(lines, "search ") == f"search     {planned} trials by grid, maximizing dev_mcc"


def test_every_schedule_prints_its_budget_at_each_mask_event() -> None:
    lines = plan_of("adalora_rs", "adapter.deltaT=30", "training.steps=160")
    events = [line for line in lines if line.startswith("mask events (step:triplets) with ")]
    assert any(
        line.endswith("b0 14, bT 14, deltaT 30: 30:336 60:336 90:336 120:336") for line in events
    )
    assert len(events) == len(set(events)) > 2
    assert not [line for line in plan_of("lora") if line.startswith("mask events")]


def test_the_data_is_described_before_the_method() -> None:
    sizes = ("task.train=30", "task.dev=20", "task.test=20", "task.dedup=drop_from_train")
    _, data = prepare_data(load_spec("lora", [*sizes, "training.steps=20"]))
    lines = plan_of("lora", data=data)
    assert only(lines, "task ") == (
        "task       promoters: 30/20/20 sequences (train/dev/test), 2 classes; "
        "read on the given strand"
    )
    start = lines.index(only(lines, "data "))
    found = lines[start : lines.index(only(lines, "method "))]
    assert found == [
        f"{'data':<11}{data.quality.lines()[0]}",
        *data.quality.lines()[1:],
        f"{'tokens':<11}{data.tokens.lines()[0]}",
        *data.tokens.lines()[1:],
    ]
    assert found[4].startswith("dropped from train: 0 rows")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rc_augment": "true"}, "trained on either strand"),
        ({"rc_average": "true"}, "scored on both strands"),
        (
            {"rc_augment": "true", "rc_average": "true"},
            "trained on either strand, scored on both strands",
        ),
    ],
)
def test_the_plan_names_the_strands(settings: dict[str, str], message: str) -> None:
    lines = plan_of("lora", *(f"task.{name}={value}" for name, value in settings.items()))
    assert only(lines, "task ").endswith(f"2 classes; {message}")


def test_the_plan_has_the_weights_of_the_classes() -> None:
    split = encode_split([[5] * 90] * 960, [0] * 720 + [1] * 240)
    data = EncodedTask("made", 2, 1, split, split, split, classes=("no", "yes"))
    balanced = plan_of("lora", "training.class_weights=balanced", data=data)
    assert "loss       class weights, balanced: no 0.667, yes 2" in balanced
    given = plan_of("lora", "training.class_weights=[1, 7.5]", data=data)
    assert "loss       class weights, given: no 1, yes 7.5" in given
    searched = "training.class_weights={type: categorical, choices: [none, balanced]}"
    lines = plan_of("lora", searched, data=data)
    assert not any(line.startswith("loss") for line in lines)
    assert any("none | balanced" in line for line in lines)


def test_a_run_first_prints_the_data_and_the_tokens() -> None:
    sizes = ("task.train=30", "task.dev=20", "task.test=20", "training.steps=20")
    for dedup in ("none", "drop_from_train"):
        _, data = prepare_data(load_spec("lora", [*sizes, f"task.dedup={dedup}"]))
        console = Console(width=400, record=True, file=io.StringIO())
        print_data(console, data)
        message = [line[11:] for line in console.export_text().splitlines()]
        assert message == [*data.quality.lines(), *data.tokens.lines()]


def test_points_objectives_and_constraints_are_in_the_plan() -> None:
    lines = plan_of(
        "adalora_rs",
        "points=[{b0: 8, bT: 6, p: 0.1}, {p: 0.05, lr: 0.002}, {p: 0.2}]",
        "objectives=[maximize dev_mcc, minimize kept_parameters]",
        'constraints={trainable_parameters: "<= 1.2e6"}',
        "search.trials=2",
    )
    place = lines.index(only(lines, "search "))
    assert lines[place + 1 : place + 3] == [
        "front      maximize dev_mcc, minimize kept_parameters; the first decides",
        "bounds     trainable_parameters <= 1,200,000; the winner satisfies them, and they guide "
        "tpe",
    ]
    start = lines.index("points, tried first")
    cells = [line.split() for line in lines[start + 1 : start + 6] if line and "──" not in line]
    assert cells == [
        ["b0", "bT_ratio", "p", "lr"],
        ["8", "0.75", "0.1"],
        ["0.05", "0.002"],
    ]  # fmt: skip


def test_a_plan_without_goals_and_points_does_not_mention_them() -> None:
    lines = plan_of("lora")
    assert not [line for line in lines if line.startswith(("front", "bounds", "points"))]
    bound = 'constraints={kept_parameters: "<= 9"}'
    blind = plan_of("lora", bound, "search.sampler={name: random}")
    assert only(blind, "bounds ").endswith(
        "the winner satisfies them, and they do not guide random"
    )
