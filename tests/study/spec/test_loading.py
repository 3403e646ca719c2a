"""Shipped spaces, found by name in a checkout and when installed; imports of reading a spec."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import study
from study.errors import InputError
from study.spec import StudySpec, load_spec
from study.spec.benchmark.loading import load_benchmark
from study.spec.loading import shipped_folder, shipped_spaces

METHODS = ["adalora", "adalora_rs", "fmft", "lora"]
OF_PEFT = ["rslora", "dora", "ia3", "peft_adalora"]
FOR_GPUS = ["dnabert_2_promoters", "nt_500m_emp", "opt_125m_promoters"]


@pytest.mark.parametrize("given", ["smoke", "smoke.yaml"])
def test_a_space_is_found_by_name_from_any_working_directory(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert load_spec(given).search.trials == 4


def test_a_file_in_the_working_directory_wins_over_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("smoke.yaml").write_text("search: {trials: 77}\n")
    assert load_spec("smoke.yaml").search.trials == 77


def test_a_folder_named_like_a_shipped_space_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("smoke").mkdir()
    assert load_spec("smoke").search.trials == 4


def test_a_shipped_space_of_the_other_command_is_refused_with_that_command():
    with pytest.raises(
        InputError, match=r"got that of a benchmark; .* python -m study.benchmark$"
    ):
        load_spec("paper_tables.yaml")
    with pytest.raises(InputError, match=r"but got that of a study; .* python -m study.run$"):
        load_benchmark("smoke")


def test_an_installed_package_reads_the_spaces_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inside = tmp_path / "study" / "search_spaces"
    inside.mkdir(parents=True)
    (inside / "only.yaml").write_text("search: {trials: 5}\n")
    monkeypatch.setattr(study, "__file__", str(tmp_path / "study" / "__init__.py"))
    assert shipped_spaces() == ["only"]
    assert load_spec("only").search.trials == 5


def test_the_shipped_spaces_are_the_methods_a_smoke_study_and_those_for_gpus():
    assert shipped_spaces() == sorted([*METHODS, *OF_PEFT, "cnn", "smoke", *FOR_GPUS])
    assert [load_spec(name).adapter.method for name in METHODS] == METHODS
    assert {load_spec(name).adapter.method for name in OF_PEFT} == {"peft"}


def effort(spec: StudySpec) -> tuple[object, ...]:
    training = spec.training.model_dump(exclude={"lr", "weight_decay"})
    return spec.task, spec.backbone, training, spec.search, spec.scheduler, spec.seeds


def test_the_methods_get_equal_search_effort():
    specs = [load_spec(name) for name in (*METHODS, *OF_PEFT)]
    assert all(effort(spec) == effort(specs[0]) for spec in specs)
    widths = [spec.domains["lr"].high / spec.domains["lr"].low for spec in specs]
    assert widths == pytest.approx([widths[0]] * len(specs))
    assert all(spec.domains["lr"].role == "nuisance" for spec in specs)


def test_adalora_is_searched_like_adalora_rs_without_p():
    ours, adalora = load_spec("adalora_rs").domains, load_spec("adalora").domains
    assert {name: domain for name, domain in ours.items() if name != "p"} == adalora


def test_the_main_space_searches_the_parameters_of_the_method_and_the_learning_rate():
    domains = load_spec("adalora_rs").domains
    assert set(domains) == {"p", "b0", "bT", "deltaT", "beta1", "beta2", "lr"}


@pytest.mark.parametrize("name", [*METHODS, "smoke"])
def test_own_data_replaces_the_generated_task_in_one_override(name: str, tmp_path: Path):
    spec = load_spec(name, [f"task.path={tmp_path}"])
    assert (spec.task.name, spec.task.path) == (None, tmp_path)


def test_reading_a_spec_imports_nothing_heavy():
    code = (
        "import sys; import study.spec, study.spec.space\n"
        "spec = study.spec.load_spec('adalora_rs', ['search.sampler={name: gp}'])\n"
        "study.spec.space.corners(spec); study.spec.json_schema()\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    environment = os.environ | {"PYTHONPATH": str(shipped_folder().parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    heavy = {"torch", "ray", "optuna", "transformers", "pandas", "numpy", "mlflow", "sklearn"}
    assert not heavy & set(done.stdout.split())
    assert "pydantic" in done.stdout.split()
