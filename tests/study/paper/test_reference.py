import pytest

from study.paper import reference
from study.paper.reference import EMP_TASKS, METHODS, PD_TASKS, Anchor, Top2

FOUR = ("opt-125m", "opt-350m", "dnabert-2", "nt-500m-1000g")
PEFT = ("lora", "adalora", "adalora_rs")


def test_hyperparameters_are_table_s1s() -> None:
    assert reference.hyperparameters("emp/H3") == {
        "b0": 12,
        "bT": 6,
        "final_fraction": 0.25,
        "deltaT": 100,
        "beta1": 0.85,
        "beta2": 0.85,
        "matrices": ["q", "k", "v", "f1", "f2"],
        "p": 0.05,
    }
    promoters = reference.hyperparameters("prom/tata")
    assert promoters is not None
    assert (promoters["b0"], promoters["deltaT"], promoters["p"]) == (8, 5000, 0.1)
    assert promoters["matrices"] == ["q", "k", "v", "f1", "f2", "o"]


def test_a_caller_may_change_the_returned_hyperparameters() -> None:
    first = reference.hyperparameters("emp/H4")
    assert first is not None
    first["matrices"].append("o")
    first["b0"] = 1
    again = reference.hyperparameters("emp/H4")
    assert again is not None
    assert again["b0"] == 12
    assert "o" not in again["matrices"]


def test_every_task_of_the_paper_has_hyperparameters_and_scores_of_all_sixteen_rows() -> None:
    assert all(reference.hyperparameters(task) for task in EMP_TASKS + PD_TASKS)
    rows = [(backbone, method) for backbone in FOUR for method in METHODS.values()]
    assert all(reference.mcc(*row, task) is not None for row in rows for task in EMP_TASKS)
    assert all(reference.auc(*row, task) is not None for row in rows for task in PD_TASKS)
    assert all(reference.trainable_parameters(*row) for row in rows)


@pytest.mark.parametrize(
    ("metric", "row", "expected"),
    [
        ("auc", ("opt-125m", "adalora_rs", "prom/all"), 0.959),
        ("auc", ("nt-500m-1000g", "adalora", "prom/tata"), 0.871),
        ("mcc", ("opt-350m", "fmft", "emp/H3"), 0.801),
        ("mcc", ("dnabert-2", "adalora_rs", "emp/H4ac"), 0.449),
        ("mcc", ("dnabert-2", "lora", "emp/H3K4me3"), 0.0),
        ("mcc", ("opt-125m", "adalora_rs", "prom/all"), None),
        ("auc", ("opt-125m", "lora_random_weights", "prom/all"), None),
        ("mcc", ("nt-2.5b-1000g", "fmft", "emp/H3"), None),
        ("loss", ("opt-350m", "fmft", "emp/H3"), None),
    ],
)
def test_a_score_is_the_papers_or_none(
    metric: str, row: tuple[str, str, str], expected: float | None
) -> None:
    assert reference.score(metric, *row) == expected


def test_dnabert_2_has_the_parameter_counts_of_table_2() -> None:
    counts = [reference.trainable_parameters("dnabert-2", method) for method in METHODS.values()]
    assert counts == [117e6, 1.6e6, 1e6, 1e6]
    assert reference.trainable_parameters("nt-2.5b-1000g", "fmft") is None


def test_an_anchor_is_a_fraction_with_its_method() -> None:
    assert reference.anchor("nt-500m-1000g", "emp/H3") == Anchor(0.7252, "lora")
    assert reference.anchor("dnabert-2", "prom/tata") == Anchor(0.7159, "fmft")
    assert reference.anchor("opt-125m", "emp/H3") is None
    assert reference.anchor("dnabert-2", "own") is None


def test_the_papers_row_of_dnabert_2_is_the_published_one_rounded() -> None:
    for task in EMP_TASKS:
        printed, published = (
            reference.mcc("dnabert-2", "fmft", task),
            reference.anchor("dnabert-2", task),
        )
        assert printed is not None
        assert published is not None
        assert abs(printed - published.mcc) <= 0.0005 + 1e-9


def test_top2_counts_are_table_3s() -> None:
    assert reference.top2("opt-125m", "adalora_rs", "emp") == Top2(3, 10)
    assert reference.top2("opt-350m", "adalora", "pd") == Top2(2, 3)
    assert reference.top2("opt-350m", "fmft", "pd") is None
    assert reference.top2("dnabert-2", "lora", "emp") is None


def recounted(backbone: str, method: str, group: str, over: str) -> int:
    """The number of tasks on which a cell is among the top two in the paper's own tables."""
    tasks, scores = (PD_TASKS, reference.auc) if group == "pd" else (EMP_TASKS, reference.mcc)
    peers = (
        [(b, method) for b in FOUR]
        if over == "backbones"
        else [(backbone, m) for m in METHODS.values()]
    )
    count = 0
    for task in tasks:
        score = scores(backbone, method, task)
        assert score is not None
        count += sum((scores(*peer, task) or 0) > score for peer in peers) < 2
    return count


CELLS = [(b, m, g) for b in ("opt-125m", "opt-350m") for m in PEFT for g in ("pd", "emp")]


def agreeing(over: str) -> set[tuple[str, str, str]]:
    printed = {cell: reference.top2(*cell) for cell in CELLS}
    return {c for c in CELLS if (p := printed[c]) and recounted(*c, over) == p.count}


def test_table_3_ranks_models_with_the_same_method() -> None:
    promoters = {cell for cell in CELLS if cell[2] == "pd"}
    both = {("opt-125m", "adalora", "emp"), ("opt-350m", "adalora", "emp")}
    assert agreeing("backbones") == promoters | both
    assert agreeing("methods") == {("opt-125m", "lora", "pd"), ("opt-125m", "adalora_rs", "pd")}


def test_four_counts_of_table_3_differ_from_the_rule() -> None:
    rest = sorted(set(CELLS) - agreeing("backbones"))
    found = {cell[:2]: recounted(*cell, "backbones") for cell in rest}
    assert found == {
        ("opt-125m", "adalora_rs"): 2,  # printed: 3
        ("opt-125m", "lora"): 4,  # printed: 2
        ("opt-350m", "adalora_rs"): 3,  # printed: 4
        ("opt-350m", "lora"): 3,  # printed: 4
    }
