"""The command line's configurations: from a study, from files, with their labels."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from study.engine.comparison.request import ComparisonRequest, SeedsOptions, label_of, read_request
from study.engine.winner import write_best_spec
from study.errors import InputError
from study.spec import dump_spec, load_spec, resolve
from study.spec.comparison.planning import SeedsPlan
from study.storage.events import StudyOpened, TrialCreated
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from tests.study.ledgers import report, without_score_loss

MakeStudy = Callable[..., str]
FIXED = "{adapter: {method: adalora_rs, p: 0.1, b0: 4, bT: 2, deltaT: 5}, training: {steps: 40}}"


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """(p and dev MCC of each complete trial, *overrides) -> the folder of such a study."""

    def make(trials: Sequence[tuple[float, float]], *overrides: str, name: str = "mine") -> str:
        spec = load_spec("smoke", ("seeds.mask=5", *overrides))
        ledger = StudyLedger(open_folder(tmp_path / "runs" / name, dump_spec(spec)), spec)
        ledger.append(StudyOpened(version=1, name=name, spec="spec.yaml"))
        for number, (p, value) in enumerate(trials):
            ledger.append(
                TrialCreated(
                    trial=number,
                    params={"p": p, "b0": 6, "bT_ratio": 0.5, "lr": 1e-3},
                    settings={"p": p, "b0": 6, "bT": 3, "lr": 1e-3},
                    seeds={"init": 0, "data": 0, "mask": 5 + number},
                    total_steps=10,
                    reports=1,
                    optuna={},
                )
            )
            report(ledger, number, 1, value)
            ledger.end(ledger.record.trials[number], "complete", "")
        best = ledger.best()
        if best is not None:
            write_best_spec(ledger.folder, resolve(spec, best.params, best.seeds))
        return str(ledger.folder.path)

    return make


def labels(found: ComparisonRequest) -> list[str]:
    return list(found.spec.configurations)


def test_a_study_gives_its_best_trial_with_seeds_distinct_from_its_own(
    make_study: MakeStudy,
) -> None:
    study = make_study([(0.1, 0.3), (0.2, 0.5)])
    found = read_request(SeedsOptions(study=study, seeds=SeedsPlan(crossing=(2, 1, 1))))
    assert labels(found) == ["best"]
    first = found.spec.first
    assert (first.adapter.p, first.training.reports) == (0.2, 2)  # type: ignore[union-attr]
    assert found.spec.components is not None
    assert found.spec.components.mask == (2005, 2006)


@pytest.mark.parametrize("file", ["", "/best.yaml"])
def test_seeds_do_not_depend_on_how_a_configuration_is_given(
    make_study: MakeStudy, file: str
) -> None:
    study = make_study([(0.1, 0.3), (0.2, 0.5)])
    by_study = read_request(SeedsOptions(study=study)).spec
    by_file = read_request(SeedsOptions(configs=[study + file])).spec
    assert by_file.first.seeds.mask == 6  # The seed of the trial, not of the study.
    assert by_file.components == by_study.components
    both = SeedsOptions(study=study, configs=[study + file])
    assert read_request(both).spec.components == by_study.components


def test_the_scores_of_a_study_of_an_older_version_are_of_the_total_loss(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    folder = StudyFolder(Path(make_study([(0.1, 0.3), (0.2, 0.5)])))
    for file in (folder.spec, folder.best_spec):
        without_score_loss(file)
    study, copy = str(folder.path), shutil.copy(folder.best_spec, tmp_path / "mine.yaml")
    losses = [
        found.spec.first.adapter.score_loss  # type: ignore[union-attr]
        for found in (
            read_request(SeedsOptions(study=study)),
            read_request(SeedsOptions(study=study, top=1)),
            read_request(SeedsOptions(configs=[str(folder.best_spec)])),
            read_request(SeedsOptions(configs=[str(copy)])),
        )
    ]
    assert losses == ["total", "total", "total", "task"]


def test_the_top_trials_are_the_best_in_the_journal_with_distinct_settings(
    make_study: MakeStudy,
) -> None:
    study = make_study([(0.1, 0.3), (0.2, 0.5), (0.3, 0.1), (0.2, 0.4)])
    found = read_request(SeedsOptions(study=study, top=3))
    assert labels(found) == ["trial-1", "trial-0", "trial-2"]
    with pytest.raises(InputError, match=r"--top 4: .* got 3 in .*; ask for at most that many"):
        read_request(SeedsOptions(study=study, top=4))


def test_configurations_are_labelled_by_file_or_study_name(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    mine, other = make_study([(0.1, 0.3)]), make_study([(0.2, 0.3)], name="other")
    (tmp_path / "lora.yaml").write_text("adapter: {method: lora}\n")
    asked = SeedsOptions(
        configs=[f"{mine}/best.yaml", other],
        against=["lora", str(tmp_path / "lora.yaml"), "adalora"],
        vary=["adapter.p=0"],
        overrides=["training.lr=2e-3"],
    )
    with pytest.raises(InputError, match="lora-2: configurations must differ"):
        read_request(asked)
    found = read_request(SeedsOptions(**{**vars(asked), "against": ["lora", "adalora"]}))
    assert labels(found) == ["mine", "other", "p=0", "lora", "adalora"]
    assert {spec.training.lr for spec in found.spec.configurations.values()} == {2e-3}
    assert "lora" in found.notes


def test_an_opponent_from_a_file_keeps_its_learning_rate_and_has_the_studys_steps(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned.yaml"
    tuned.write_text(
        "adapter: {method: lora, rank: 5}\ntraining: {lr: 1e-4, steps: 7, reports: 1}\n"
    )
    found = read_request(SeedsOptions(study=make_study([(0.1, 0.3)]), against=[str(tuned)]))
    lora = found.spec.configurations["tuned"]
    assert (lora.training.lr, lora.training.steps) == (1e-4, 40)


def test_too_many_configurations_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fixed.yaml"
    file.write_text(FIXED)
    monkeypatch.setattr("study.engine.comparison.request.MAX_BYTES", 2048)
    assert labels(read_request(SeedsOptions(configs=[str(file)]))) == ["fixed"]
    with pytest.raises(InputError, match=r"must fit a spec\.yaml of 2 KiB, but got 2 of"):
        read_request(SeedsOptions(configs=[str(file)], vary=["adapter.p=0"]))


def test_the_name_of_a_study_or_file_names_the_comparison(make_study: MakeStudy) -> None:
    study = make_study([(0.1, 0.3)])
    assert label_of(study) == label_of(f"{study}/best.yaml") == "mine"
    assert label_of("somewhere/best.yaml") == "best"
    assert label_of("adalora") == "adalora"


def test_a_file_with_domains_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"smoke: .* one value .* domains for b0, bT, p, lr"):
        read_request(SeedsOptions(configs=["smoke"]))
    file = tmp_path / "fixed.yaml"
    file.write_text(FIXED)
    fixed = read_request(SeedsOptions(configs=[str(file)]))
    assert labels(fixed) == ["fixed"]


def test_a_folder_without_a_study_or_a_finished_trial_is_refused(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"the folder of a study, but got a folder without .*events\.jsonl"
    ):
        read_request(SeedsOptions(study=str(tmp_path)))
    empty = make_study([], name="empty")
    with pytest.raises(InputError, match=r"without best\.yaml; finish it"):
        read_request(SeedsOptions(study=empty))
    with pytest.raises(InputError, match="no trial was completed with a score"):
        read_request(SeedsOptions(study=empty, top=1))


def test_a_study_with_a_damaged_journal_is_refused_although_it_has_a_best_yaml(
    make_study: MakeStudy,
) -> None:
    study = make_study([(0.1, 0.3)])
    journal = Path(study, "events.jsonl")
    journal.write_bytes(journal.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(InputError, match=r"events\.jsonl:1: .*the first event must be `study`"):
        read_request(SeedsOptions(study=study))
    Path(study, "trials.csv").touch()
    journal.write_bytes(b"")
    with pytest.raises(InputError, match="must have the journal, but got an empty one"):
        read_request(SeedsOptions(study=study))


def test_configurations_of_different_tasks_are_refused(tmp_path: Path) -> None:
    files = []
    for rows in (32, 33):
        files.append(str(tmp_path / f"rows{rows}.yaml"))
        Path(files[-1]).write_text(f"{FIXED[:-1]}, task: {{train: {rows}}}}}")
    with pytest.raises(InputError, match=r"rows33: task must be that of rows32, .*train 32"):
        read_request(SeedsOptions(configs=files))


@pytest.mark.parametrize("option", ["study", "configs", "against"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine/finalists", "got the race of its finalists; give .*mine, or analyse the race"),
        ("seeds", "got a comparison; analyse it with --analyse .*seeds"),
    ],
)
def test_the_error_for_a_folder_of_another_kind_names_its_kind(
    make_study: MakeStudy, option: str, name: str, message: str
) -> None:
    study = make_study([(0.1, 0.3)])
    folder = Path(study).parent / name
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text("configurations: {trial-0: {}}\n")
    (folder / "events.jsonl").write_bytes(Path(study, "events.jsonl").read_bytes())
    given: dict[str, Any] = {"study": study, option: [str(folder)]}
    if option == "study":
        given = {"study": str(folder)}
    with pytest.raises(InputError, match=message):
        read_request(SeedsOptions(**given))
