"""The YAML of a benchmark: axes, rules, the paper's settings, and errors."""

from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import AdaLoraRSSpec, AdaLoraSpec, LoraSpec, load_spec
from study.spec.benchmark.cells import Cell
from study.spec.benchmark.loading import Benchmark, dump_benchmark, load_benchmark
from tests.study.ledgers import without_score_loss

SMALL = """\
backbones: [opt-dna-mini]
tasks:
  - emp/H3
  - {label: mine, set: {task.name: promoters, task.train: 64}}
methods: [lora, adalora, adalora_rs]
baselines: [kmer]
seeds: [3, 4]
rules:
  - set: {training.lr: 1e-3}
  - where: {task: mine, method: "adalora*"}
    set: {adapter.b0: 4, adapter.bT: 2, training.steps: 200}
"""
Read = Callable[..., Benchmark]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """(text, *overrides) -> the benchmark of a file with that text."""

    def load(text: str = SMALL, *overrides: str) -> Benchmark:
        file = tmp_path / "small.yaml"
        file.write_text(text)
        return load_benchmark(str(file), overrides)

    return load


def cell(benchmark: Benchmark, task: str, method: str) -> Cell:
    [found] = [c for c in benchmark.cells if (c.task, c.method) == (task, method)]
    return found


def test_cells_are_baselines_of_each_task_and_then_the_product_of_the_axes(read: Read) -> None:
    labels = [(c.backbone, c.task, c.method) for c in read().cells]
    assert labels == [("", "emp/H3", "kmer"), ("", "mine", "kmer")] + [
        ("opt-dna-mini", task, method)
        for task in ("emp/H3", "mine")
        for method in ("lora", "adalora", "adalora_rs")
    ]


def test_a_published_task_has_the_papers_settings_each_method_its_own(read: Read) -> None:
    benchmark = read()
    rs = cell(benchmark, "emp/H3", "adalora_rs").spec.adapter
    assert isinstance(rs, AdaLoraRSSpec)
    assert (rs.b0, rs.bT, rs.deltaT, rs.p, rs.final_fraction) == (12, 6, 100, 0.05, 0.25)
    adalora = cell(benchmark, "emp/H3", "adalora").spec.adapter
    lora = cell(benchmark, "emp/H3", "lora").spec.adapter
    assert isinstance(adalora, AdaLoraSpec)
    assert isinstance(lora, LoraSpec)
    assert adalora.matrices == lora.matrices == ("q", "k", "v", "f1", "f2")
    assert lora.rank == 8


def test_promoter_tasks_have_six_matrices_and_a_higher_p(read: Read) -> None:
    promoters = read(SMALL.replace("emp/H3", "prom/all"))
    adapter = cell(promoters, "prom/all", "adalora_rs").spec.adapter
    assert isinstance(adapter, AdaLoraRSSpec)
    assert (adapter.b0, adapter.p, adapter.deltaT, len(adapter.matrices)) == (8, 0.1, 5000, 6)


def test_rules_apply_to_the_runs_that_they_match_and_later_rules_win(read: Read) -> None:
    text = SMALL + "  - {where: {method: lora}, set: {training.lr: 5e-4}}\n"
    benchmark = read(text)
    assert cell(benchmark, "mine", "lora").spec.training.lr == 5e-4
    assert cell(benchmark, "mine", "adalora").spec.training.lr == 1e-3
    assert cell(benchmark, "mine", "adalora").spec.training.steps == 200
    assert cell(benchmark, "emp/H3", "adalora").spec.training.epochs == 5


def test_an_override_of_a_setting_is_the_last_rule_and_of_a_key_replaces_it(read: Read) -> None:
    benchmark = read(SMALL, "training.lr=1e-2", "seeds=[7]", "training.steps=300")
    assert benchmark.spec.seeds == (7,)
    assert {c.spec.training.lr for c in benchmark.cells if not c.is_baseline} == {1e-2}
    assert {c.spec.training.epochs for c in benchmark.cells if not c.is_baseline} == {None}


def test_rules_that_match_nothing_after_an_override_are_accepted(read: Read) -> None:
    fewer = read(SMALL, "tasks=[emp/H3]")
    assert {c.task for c in fewer.cells} == {"emp/H3"}
    assert len(fewer.spec.rules) == 2
    again = read(dump_benchmark(fewer.spec))
    assert (again.cells, len(again.spec.rules)) == (fewer.cells, 1)


def test_an_option_for_all_runs_applies_to_the_methods_that_have_it(read: Read) -> None:
    benchmark = read(SMALL, "adapter.deltaT=50")
    assert cell(benchmark, "mine", "adalora").spec.adapter.deltaT == 50  # type: ignore[union-attr]
    assert not hasattr(cell(benchmark, "mine", "lora").spec.adapter, "deltaT")
    with pytest.raises(
        InputError, match=r"--set adapter.delta=50: adapter.delta: must be a known key"
    ):
        read(SMALL, "adapter.delta=50")


def test_a_rule_may_apply_to_a_baseline(read: Read) -> None:
    rule = "  - {where: {method: kmer}, set: {task.dedup: drop_from_train}}\n"
    specs = {c.method: c.spec.task.dedup for c in read(SMALL + rule).cells if c.task == "mine"}
    assert specs == dict.fromkeys(("lora", "adalora", "adalora_rs"), "none") | {
        "kmer": "drop_from_train"
    }


def test_a_benchmark_written_out_reads_as_the_same_cells(read: Read, tmp_path: Path) -> None:
    first = read(SMALL, "training.lr=1e-2")
    again = read(dump_benchmark(first.spec))
    assert again.cells == first.cells
    assert read(dump_benchmark(again.spec)) == again


def test_the_scores_of_a_benchmark_of_an_older_version_are_of_the_total_loss(
    read: Read, tmp_path: Path
) -> None:
    now, file = read(SMALL), tmp_path / "spec.yaml"
    file.write_text(dump_benchmark(now.spec))
    assert load_benchmark(str(file), stored=True).cells == now.cells
    without_score_loss(file)
    assert load_benchmark(str(file)).cells == now.cells  # A space of the user.
    losses = {
        cell.method: getattr(cell.spec.adapter, "score_loss", None)
        for cell in load_benchmark(str(file), stored=True).cells
        if not cell.is_baseline
    }
    assert losses == {"lora": None, "adalora": "total", "adalora_rs": "total"}


def test_the_settings_of_a_best_yaml_replace_those_of_the_paper(
    read: Read, tmp_path: Path
) -> None:
    best = tmp_path / "best.yaml"
    best.write_text(
        "backbone: {pooling: mean}\n"
        "adapter: {method: adalora_rs, b0: 5, bT: 3, deltaT: 7, p: 0.2}\n"
        "training: {lr: 4e-3, steps: 50}\n"
    )
    rule = "  - {where: {method: adalora_rs}, best: best.yaml}\n"
    spec = cell(read(SMALL + rule), "emp/H3", "adalora_rs").spec
    assert isinstance(spec.adapter, AdaLoraRSSpec)
    assert (spec.adapter.b0, spec.adapter.p, spec.training.steps) == (5, 0.2, 50)
    assert spec.backbone.pooling == "mean"
    assert spec.adapter.matrices == load_spec(str(best)).adapter.matrices
    with pytest.raises(InputError, match="best must be of the method of its runs, lora of"):
        read(SMALL + "  - {best: best.yaml}\n")


def test_paths_are_resolved_beside_the_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "model").mkdir()
    text = """\
backbones: [./model]
tasks: [{label: mine, set: {task.path: data}}]
methods: [lora]
"""
    [only] = read(text).cells
    assert only.backbone == "./model"
    assert only.spec.backbone.name == str((tmp_path / "model").resolve())
    assert only.spec.task.path == (tmp_path / "data").resolve()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lora, adalora,", "lorra, adalora,", r"yaml:5: methods.0: must be one of .*`lora`"),
        ("lora, adalora,", "kmer, adalora,", "must be a method, but got the baseline kmer"),
        ("lora, adalora,", "adalora, adalora,", "methods.1: labels must differ"),
        ("seeds: [3, 4]", "seeds: [3, 3]", r"yaml:7: seeds: must differ, but got 3, 3"),
        (
            "seeds: [3, 4]",
            "seed: [3]",
            "seed: must be a known key, but got 'seed'; did you mean `seeds`",
        ),
        ("baselines: [kmer]", "baselines: [gcc]", "must be one of majority, gc, kmer, cnn"),
        ("task: mine", "task: mien", r"yaml:10: rules.1.where.task: must match one of .*`mine`"),
        (
            "adapter.b0: 4",
            "adapter.b9: 4",
            r"yaml:11: adapter.b9: must be a known key.*\(of opt-dna-mini",
        ),
        ("adapter.b0: 4", "adaptor.b0: 4", r"yaml:11: adaptor.b0: must begin with one"),
        ("adapter.b0: 4", "search.trials: 4", r"search.trials: must begin with one of"),
        ("adapter.b0: 4", "adapter.p: 2.0", "must be a known key"),
        (
            "training.lr: 1e-3",
            "training.lr: {type: float, low: 1e-4, high: 1e-3}",
            r"yaml:9: training.lr must have one value, but got a domain",
        ),
        (
            "adapter.b0: 4",
            "seeds.init: 4",
            r"yaml:11: seeds.init: must begin with one of",
        ),
        ("training.lr: 1e-3", "adapter.method: lora", "must be set by an entry of methods"),
        ("training.lr: 1e-3", "backbone.name: x/y", "must be set by an entry of backbones"),
        ("- set: {training.lr: 1e-3}", "- where: {task: mine}", "must have set or best"),
        (
            "{label: mine, set: {task.name: promoters",
            "{label: emp/H4, set: {task.name: promoters",
            r"label emp/H4 must have task.name: emp/H4, but got 'promoters'",
        ),
        (
            "{label: mine, set: {task.name: promoters",
            "{label: emp/H4, set: {task.name: emp/H3",
            r"label emp/H4 must have task.name: emp/H4, but got emp/H3",
        ),
        (
            "methods: [lora,",
            "methods: [{label: lora, set: {adapter.method: fmft}},",
            "label lora must have adapter.method: lora, but got fmft",
        ),
        (
            "training.steps: 200",
            "training.steps: 200, training.epochs: 2",
            "must not be given with epochs",
        ),
        ("seeds: [3, 4]", "seeds: [-1]", "seeds >= 0 must hold, but got seeds=-1"),
        ("seeds: [3, 4]", "seeds: []", "seeds: must not be empty"),
        ("backbones: [opt-dna-mini]", "backbones: []", "must be given with methods, but got none"),
        ("tasks:", "tusks:", "tusks: must be a known key"),
    ],
)
def test_a_bad_benchmark_is_refused_with_its_place(
    old: str, new: str, message: str, read: Read
) -> None:
    assert old in SMALL
    with pytest.raises(InputError, match=message) as caught:
        read(SMALL.replace(old, new, 1))
    assert "\n" not in str(caught.value)


def test_a_study_is_refused_as_a_benchmark_and_a_benchmark_as_a_study(
    read: Read, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"must be a benchmark.*python -m study.run"):
        read("adapter: {method: lora}\n")
    read()
    with pytest.raises(InputError, match=r"got a benchmark; run it with .* study\.benchmark"):
        load_spec(str(tmp_path / "small.yaml"))
