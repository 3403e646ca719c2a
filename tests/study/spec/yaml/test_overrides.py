"""`--set a.b=c`."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import FloatDomain, load_spec
from study.spec.loading import shipped_spaces

SPACE = "training:\n  lr: 1e-4\n  epochs: 3\ntask:\n  name: promoters\n"


def test_a_value_is_read_as_yaml(read):
    spec = read(SPACE, "training.lr=2e-3", "training.group_by_length=true", "seeds.init=7")
    assert (spec.training.lr, spec.training.group_by_length, spec.seeds.init) == (2e-3, True, 7)


def test_the_last_of_two_overrides_wins(read):
    assert read(SPACE, "training.lr=1e-3", "training.lr=1e-2").training.lr == 1e-2


def test_a_fixed_leaf_becomes_searched_and_back(read):
    domain = "{type: float, low: 1e-4, high: 1e-2, log: true}"
    assert read(SPACE, f"training.lr={domain}").domains["lr"] == FloatDomain(
        low=1e-4, high=1e-2, log=True
    )
    searched = f"training:\n  lr: {domain}\n"
    assert read(searched, "training.lr=1e-3").domains == {}
    narrowed = read(searched, "training.lr.high=1e-3").domains["lr"]
    assert (narrowed.low, narrowed.high) == (1e-4, 1e-3)


def test_a_section_that_the_file_lacks_is_made(read):
    assert read(SPACE, "search.trials=3").search.trials == 3
    assert read("resources:\n" + SPACE, "resources.max_concurrent=3").resources.max_concurrent == 3


def test_one_of_two_exclusive_keys_replaces_the_other_of_the_file(read):
    assert read(SPACE, "training.steps=400").training.epochs is None
    assert read(SPACE, "training.steps=400", "training.steps=null").training.epochs == 5
    assert read(SPACE, "task.path=data").task.name is None


def test_a_path_and_a_name_may_be_combined_for_published_tasks_only(read, tmp_path: Path):
    def source(text: str, *overrides: str) -> tuple[str | None, Path | None]:
        task = read(text, *overrides).task
        return task.name, task.path

    copy, published = tmp_path / "GUE", "task: {name: emp/H3}"
    assert source(SPACE, "task.name=prom/tata", "task.path=GUE") == ("prom/tata", copy)
    assert source(SPACE, "task.path=GUE", "task.name=prom/tata") == ("prom/tata", copy)
    assert source(published, "task.path=GUE") == ("emp/H3", copy)
    assert source("task: {name: emp/H3, path: GUE}", "task.name=emp/H4") == ("emp/H4", copy)
    assert source("task: {name: emp/H3, path: GUE}", "task.name=promoters") == ("promoters", None)
    assert source(published, "task.name=null", "task.path=GUE") == (None, copy)


def test_two_exclusive_overrides_are_refused(refused):
    line = refused(SPACE, "training.steps=400", "training.epochs=2")
    assert line.startswith(
        "--set training.steps=400: training.steps: must not be given with epochs,"
    )


def notes_of(name: str, *overrides: str) -> list[str]:
    notes: list[str] = []
    load_spec(name, overrides, notes.append)
    return notes


@pytest.mark.parametrize("space", shipped_spaces())
@pytest.mark.parametrize(
    "setting",
    [
        *(f"search.sampler.name={name}" for name in ("tpe", "gp", "cmaes", "random", "qmc")),
        "search.sampler.name=nsgaii",
        "scheduler.name=none",
        "scheduler.name=asha",
        *(f"adapter.method={name}" for name in ("adalora_rs", "adalora", "lora", "fmft")),
        "adapter.method=linear_probe",
        "backbone.name=org/name",
        "task.name=emp/H3",
        "task.name=promoters",
        "task.path=folder",
    ],
)
def test_every_kind_can_be_replaced_in_every_shipped_space(space: str, setting: str):
    if space == "cnn" and setting.startswith("adapter") and setting != "adapter.method=fmft":
        with pytest.raises(InputError, match="must be fmft for"):
            load_spec(space, [setting])
        setting = f"backbone.name=opt-dna-mini {setting}"
    load_spec(space, setting.split(" "))


def test_what_belongs_to_the_replaced_kind_is_left_out_and_said():
    assert notes_of("adalora_rs", "search.sampler.name=random") == [
        "--set search.sampler.name=random: of search_spaces/adalora_rs.yaml are left out: "
        "search.sampler.n_startup_trials"
    ]
    assert notes_of("adalora_rs", "search.sampler.name=gp") == []
    (note,) = notes_of("lora", "adapter.method=linear_probe")
    assert note.endswith("are left out: adapter.matrices, adapter.rank, adapter.alpha")


def test_the_grid_leaves_out_points_and_names_a_finite_domain(refused, read):
    space = "adapter: {method: lora, rank: {type: int, low: 2, high: 4}}\npoints: [{rank: 2}]\n"
    assert read(space, "search.sampler.name=grid").points == ()
    assert read(space, "search.sampler={name: grid}").points == ()
    for lr, written in (
        ("{type: float, low: 1e-3, high: 1e-2, log: true, role: nuisance}",
         "{type: categorical, choices: [0.001, 0.00316, 0.01], role: nuisance}"),
        ("{type: float, low: 0.1, high: 0.3}", "{type: float, low: 0.1, high: 0.3, step: 0.05}"),
    ):  # fmt: skip
        line = refused(f"training: {{lr: {lr}}}", "search.sampler.name=grid")
        assert line.endswith(f"; write for example lr: {written}")
        read(f"training: {{lr: {written}}}", "search.sampler.name=grid")


def test_what_an_override_gives_for_another_kind_is_refused_not_left_out(refused):
    line = refused("adapter: {method: lora, rank: 4}", "adapter.rank=3", "adapter.method=adalora")
    assert line.startswith("--set adapter.rank=3: adapter.rank: must be a known key")
    line = refused("adapter: {method: lora, rank: 4}", "adapter.method=adalora", "adapter.rank=3")
    assert line.startswith("--set adapter.rank=3: adapter.rank: must be a known key")


def test_a_split_is_left_out_with_its_data(read):
    own = "task: {path: x, split: {dev: 0.1, test: 0.1}}\n"
    assert read(own, "task.name=emp/H3", "task.path=null").task.split is None
    assert read(own, "task.name=promoters").task.split is None
    assert read(own, "task.path=y", "task.split.test=0.2").task.split.shares == {
        "dev": 0.1,
        "test": 0.2,
    }
    earlier = read("task: {path: x, split_column: fold}\n", "task.path=y")
    assert earlier.task.split.column == "fold"


def test_a_revision_is_left_out_with_its_source(read):
    hub = "backbone: {name: a/b, revision: v1}\ntask: {name: emp/H3, revision: v2}\n"
    spec = read(hub, "backbone.name=a/c", "task.path=folder")
    assert (spec.backbone.revision, spec.task.revision) == (None, None)
    spec = read(hub, "backbone.weights=random", "task.name=emp/H4")
    assert (spec.backbone.revision, spec.task.revision) == ("v1", "v2")
    assert read(hub, "backbone.revision=v3", "backbone.name=a/c").backbone.revision == "v3"


def test_removed_points_are_said():
    (note,) = notes_of("adalora_rs", "adapter.p=0.1")
    assert note.startswith("--set adapter.p=0.1: of search_spaces/adalora_rs.yaml are left out: ")
    assert note.endswith(" points")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.lr", "--set training.lr: must be of the form a.b=c"),
        ("=3", "--set =3: must be of the form a.b=c"),
        ("training..lr=3", "--set training..lr=3: must be of the form a.b=c"),
        (f"training.{'k' * 61}=3", "must be of the form a.b=c"),
        ("training.lr=0", "--set training.lr=0: training.lr: lr > 0 must hold, but got lr=0"),
        (
            "training.lrr=1",
            "--set training.lrr=1: training.lrr: must be a known key, but got 'lrr'; did you mean",
        ),
        (
            "trainin.lr=1",
            "trainin.lr=1: trainin: must be a known key, but got 'trainin'; did you mean `train",
        ),
        ("training=1", "--set training=1: training: must be a mapping"),
        (
            "training.lr.low=1",
            "--set training.lr.low=1: training.lr: must be a mapping, but got 0",
        ),
        ("training.steps=", "--set training.steps=: must have a value, but got none; write null"),
        ("training.lr=a: b: c", "--set training.lr=a: b: c: must be YAML"),
        ("training.lr=1\n---\n2", "--set training.lr=1 --- 2: must be a single document"),
        ("training.lr=!!python/x 1", "--set training.lr=!!python/x 1: must be plain text"),
        (
            "adapter={method: adalora_rs, b0: {type: int, low: 3, high: 1}}",
            "--set adapter={method: adalora_rs, b0: {type: int, low: 3, high: 1}}: adapter.b0",
        ),
        (f"training.lr={'x' * 200}", "xxx...: training.lr: must be a number"),
    ],
)
def test_a_bad_override_is_named_in_the_message(refused, setting, message):
    assert message in refused(SPACE, setting)


def test_errors_of_overrides_are_counted_with_those_of_the_file(refused):
    assert refused(SPACE, "training.lr=0", "seeds.init=-1").endswith(" (and 1 more)")


def test_a_path_in_the_file_is_resolved_beside_the_file_then_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beside, working = tmp_path / "spaces", tmp_path / "work"
    (beside / "both").mkdir(parents=True)
    (working / "both").mkdir(parents=True)
    (working / "here").mkdir()
    monkeypatch.chdir(working)

    def path(written: str, *overrides: str) -> Path | None:
        (beside / "x.yaml").write_text(f"task: {{path: {written}}}\n")
        return load_spec(str(beside / "x.yaml"), overrides).task.path

    assert path("both") == beside / "both"
    assert path("here") == working / "here"
    assert path("nowhere") == working / "nowhere"
    assert path("other", "task.path=both") == working / "both"
    assert path(str(beside)) == beside
    assert path("../spaces") == beside


def test_a_path_in_the_home_folder_is_expanded(read, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read(SPACE, "task.path=~/data").task.path == tmp_path / "home" / "data"


def test_a_backbone_is_a_folder_only_if_it_looks_like_one_or_exists(read, tmp_path: Path):
    (tmp_path / "org" / "local").mkdir(parents=True)
    (tmp_path / "opt-dna-mini").mkdir()

    def name(written: str) -> str:
        return read(f"backbone: {{name: {written}}}").backbone.name

    assert name("org/hub") == "org/hub"
    assert name("org/local") == str(tmp_path / "org" / "local")
    assert name("./missing") == str(tmp_path / "missing")
    assert name("opt-dna-mini") == "opt-dna-mini"
