"""Options of study.seeds -> the requested comparison: configurations with labels, and seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from study.engine.console.lines import warn
from study.errors import InputError, instead_of
from study.spec import StudySpec, dump_spec, load_spec, read_spec, resolve, single_trial
from study.spec.comparison.opponents import opponent, varied
from study.spec.comparison.planning import SeedsPlan, seeds_of_plan
from study.spec.comparison.schema import ComparisonSpec, check_comparable, dump_comparison
from study.spec.loading import read_document
from study.spec.rank_pattern import ranks_of_study
from study.spec.yaml.reader import MAX_BYTES
from study.storage.folder import StudyFolder, is_stored_spec
from study.storage.opening import check_journal
from study.storage.race import ranked
from study.storage.runs import label_of_trial
from study.storage.stored import StoredStudy

if TYPE_CHECKING:
    from study.engine.comparison.lottery import Arm

REPORTS = "training.reports=2"
"""The first report only makes a checkpoint; no run of a comparison is stopped early."""
BEST = "best"
"""The label of a study's best trial."""


@dataclass(frozen=True)
class SeedsOptions:
    """The options that choose what is compared; paths and names as given on the command line."""

    study: str | None = None
    top: int | None = None
    configs: Sequence[str] = ()
    against: Sequence[str] = ()
    vary: Sequence[str] = ()
    overrides: Sequence[str] = ()
    seeds: SeedsPlan = field(default_factory=SeedsPlan)
    lottery: bool = False
    """Whether to run LoRA with the rank pattern of the study's winner; see lottery.py."""


@dataclass(frozen=True)
class ComparisonRequest:
    """A comparison to run, and remarks on its configurations."""

    spec: ComparisonSpec
    notes: dict[str, tuple[str, ...]]
    """By label: how settings were chosen."""


def read_request(
    options: SeedsOptions, stored_comparison: ComparisonSpec | None = None
) -> ComparisonRequest:
    """Returns the comparison that the options ask for, from studies and YAML files.

    Args:
        options: the options.
        stored_comparison: the comparison that is resumed; its seeds stay if no others are asked
            for.

    Raises:
        InputError: a study or file cannot be read, a setting has no single value, a configuration
            has another task, backbone or metric than the first, or there are too many.
    """
    overrides = (REPORTS, *options.overrides)
    stored = _stored(options)
    configurations = _own(options, stored, overrides)
    (_, first), *_ = configurations
    seeds_of = first if stored is None else stored.spec
    notes: dict[int, tuple[str, ...]] = {}
    if options.lottery:
        assert options.study is not None
        arms = _lottery(options.study, first, seeds_of.seeds.init)
        notes |= {place: (arm.note,) for place, arm in enumerate(arms.values())}
        configurations = [*((label, arm.spec) for label, arm in arms.items()), *configurations]
    configurations += [varied(first, text) for text in options.vary]
    for given in options.against:
        made = opponent(_file(given), first, options.overrides)
        configurations.append((label_of(given), made.spec))
        notes[len(configurations) - 1] = made.notes
    labels = _unique([label for label, _ in configurations])
    by_label = dict(zip(labels, (spec for _, spec in configurations), strict=True))
    check_comparable(by_label)
    spec = ComparisonSpec(
        configurations=by_label,
        lottery=seeds_of.seeds.init if options.lottery else None,
        **seeds_of_plan(options.seeds, by_label, seeds_of.seeds, stored_comparison),
    )
    size = len(dump_comparison(spec).encode())
    if size > MAX_BYTES:
        raise InputError(
            f"study.seeds: configurations must fit a spec.yaml of {MAX_BYTES // 1024} KiB, but "
            f"got {len(configurations)} of {size // 1024} KiB; compare fewer at a time"
        )
    return ComparisonRequest(spec, {labels[place]: own for place, own in notes.items()})


def _lottery(study: str, winner: StudySpec, seed: int) -> "dict[str, Arm]":
    """Returns the LoRA configurations with the winner's ranks, and with others of equal size."""
    # Here, as numpy and the backbones are not needed for --help.
    from study.engine.comparison.lottery import lottery_arms
    from study.models.info import inspect_backbone

    backbone = winner.backbone
    info = inspect_backbone(backbone.name, backbone.revision, with_weights=False)
    ranks = ranks_of_study(Path(study), f"--study {study}: --lottery: ")
    return lottery_arms(winner, ranks, info.sizes, seed)


def _stored(options: SeedsOptions) -> StoredStudy | None:
    """Returns the study of --study, else that of the first --config; None without a study."""
    if options.study is not None:
        return _read_study(options.study)
    study = _study_of(options.configs[0])
    return None if study is None else StoredStudy.read(StudyFolder(study))


def _own(
    options: SeedsOptions, stored: StoredStudy | None, overrides: Sequence[str]
) -> list[tuple[str, StudySpec]]:
    """Returns the configurations of --study and --config; the first completes the others."""
    if options.configs:
        return [(label_of(given), _resolved(given, overrides)) for given in options.configs]
    assert options.study is not None
    assert stored is not None
    if options.top is not None:
        return _top(stored, options.top, overrides)
    return [(BEST, _resolved(options.study, overrides))]


def _resolved(given: str, overrides: Sequence[str]) -> StudySpec:
    """Returns the configuration of a file, or of a study's best.yaml."""
    file = _file(given)
    stored = _study_of(given) is not None or is_stored_spec(file)
    spec = load_spec(file, overrides, warn, stored=stored)
    if spec.domains:
        searched = ", ".join(spec.domains)
        raise InputError(
            f"{file}: a configuration must have one value for every setting, but got "
            f"{'a domain' if len(spec.domains) == 1 else 'domains'} for {searched}; run it with "
            "study.run and give the best.yaml that it writes, or set a value with --set"
        )
    return single_trial(spec)


def _top(stored: StoredStudy, count: int, overrides: Sequence[str]) -> list[tuple[str, StudySpec]]:
    """Returns the best complete trials that satisfy the constraints, each setting once."""
    study, spec = stored.folder.path, stored.spec
    goals, record = spec.goals, stored.study_record()
    trials = ranked(record, goals)
    if not trials:
        raise InputError(
            f"{study}: must be a study with a complete trial that may win, but got none, as "
            f"{record.why_no_winner(goals)}; continue it with study.run --resume"
        )
    best = {repr(trial.settings): trial for trial in reversed(trials)}
    chosen = [trial for trial in trials if best[repr(trial.settings)] is trial]
    if count > len(chosen):
        raise InputError(
            f"--top {count}: the study must have as many complete trials with different settings, "
            f"but got {len(chosen)} in {study}; ask for at most that many"
        )
    return [
        (
            label_of_trial(trial),
            read_spec(
                dump_spec(single_trial(resolve(spec, trial.params, trial.seeds))),
                f"{study}, trial {trial.number}",
                overrides,
            ),
        )
        for trial in chosen[:count]
    ]


def _read_study(study: str) -> StoredStudy:
    """Returns a study; refuses a damaged one, and the folder of another kind or of a race."""
    folder = StudyFolder(Path(study))
    if not folder.spec.is_file() or not folder.journal.is_file():
        raise InputError(
            f"--study {study}: must be the folder of a study, but got "
            f"{instead_of(folder.spec, folder.journal)}; give <storage>/<name> of a study"
        )
    _refuse_comparison(folder)
    stored = StoredStudy.read(folder)
    check_journal(stored)
    stored.study_record()  # Refuses the folder of a benchmark, too.
    return stored


def _refuse_comparison(folder: StudyFolder) -> None:
    """Refuses the folder of a comparison or of a race, and names the command for it."""
    path = folder.path
    study = StudyFolder(path.absolute().parent)
    if study.finalists == path.absolute() and study.spec.is_file():
        raise InputError(
            f"{path}: must be the folder of a study, but got the race of its finalists; give "
            f"{path.parent}, or analyse the race with --analyse {path}"
        )
    if (
        folder.spec.is_file()
        and "configurations" in read_document(folder.spec, str(folder.spec)).values
    ):
        raise InputError(
            f"{path}: must be the folder of a study, but got a comparison; analyse it with "
            f"--analyse {path}, or continue it with --resume and the options it was started with"
        )


def _file(given: str) -> str:
    """Returns the YAML file of a path: best.yaml for the folder of a study."""
    path = Path(given)
    if not path.is_dir():
        return given
    _refuse_comparison(StudyFolder(path))
    best = StudyFolder(path).best_spec
    if not best.is_file():
        raise InputError(
            f"{given}: must be the folder of a study with a winner, but got one without "
            f"{best.name}; finish it with study.run --resume, or take the best so far (--top 1)"
        )
    return str(best)


def label_of(given: str) -> str:
    """Returns the label of a file or folder; the best.yaml of a study has the study's name."""
    return (_study_of(given) or Path(given).absolute()).name.removesuffix(".yaml")[:50]


def _study_of(given: str) -> Path | None:
    """Returns the folder of the study if the path is that folder or its best.yaml, else None.

    Seeds of a comparison are offset from the study's own, not from those in best.yaml, so that a
    configuration gets the same seeds however it is given.
    """
    path = Path(given).absolute()
    folder = StudyFolder(path if path.is_dir() else path.parent)
    is_study = path in (folder.path, folder.best_spec)
    return folder.path if is_study and folder.spec.is_file() else None


def _unique(labels: Sequence[str]) -> list[str]:
    """Returns the labels, repeated ones with a number appended."""
    seen: Counter[str] = Counter()
    unique: list[str] = []
    for label in labels:
        seen[label] += 1
        named = label if seen[label] == 1 else f"{label}-{seen[label]}"
        while named in unique:
            seen[label] += 1
            named = f"{label}-{seen[label]}"
        unique.append(named)
    return unique
