"""What the command line asks for -> a comparison: configurations with labels, and their seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError
from study.spec import StudySpec, dump_spec, load_spec, read_spec, resolve, single_trial
from study.spec.comparison.opponents import opponent, varied
from study.spec.comparison.schema import (
    ComparisonSpec,
    FactorSeeds,
    check_comparable,
    dump_comparison,
)
from study.spec.loading import read_document
from study.spec.yaml.reader import MAX_BYTES
from study.storage.folder import StudyFolder
from study.storage.growth import standing_spec
from study.storage.journal import parse_events
from study.storage.race import ranked
from study.storage.record import StudyRecord

REPORTS = "training.reports=2"
"""The first is a checkpoint alone, of what a crash would lose: nothing is stopped early here."""
BEST = "best"
"""The label of a study's best trial."""


@dataclass(frozen=True)
class SeedsOptions:
    """The command line, as far as it says what is compared. Paths and names as they were given."""

    study: str | None = None
    top: int | None = None
    configs: Sequence[str] = ()
    against: Sequence[str] = ()
    vary: Sequence[str] = ()
    overrides: Sequence[str] = ()
    seeds: tuple[int, int, int] = (5, 3, 3)
    """How many of mask, init and data."""


@dataclass(frozen=True)
class ComparisonRequest:
    """What is compared, and what is to be said of how it came about, by label."""

    spec: ComparisonSpec
    notes: dict[str, tuple[str, ...]]


def read_request(asked: SeedsOptions) -> ComparisonRequest:
    """Reads studies and files, and brings the configurations together.

    Raises:
        InputError: one of them cannot be read, has no value for some setting, or is of another
            task, backbone or metric than the first; they are too many.
    """
    overrides = (REPORTS, *asked.overrides)
    found = _own(asked, overrides)
    (_, first), *_ = found
    found += [varied(first, text) for text in asked.vary]
    notes = {}
    for given in asked.against:
        made = opponent(_file(given), first, asked.overrides)
        found.append((label_of(given), made.spec))
        notes[len(found) - 1] = made.notes
    labels = _unique([label for label, _ in found])
    configurations = dict(zip(labels, (spec for _, spec in found), strict=True))
    check_comparable(configurations)
    study = Path(asked.study) if asked.study is not None else _study_of(asked.configs[0])
    beside = first if study is None else standing_spec(StudyFolder(study))
    spec = ComparisonSpec(
        configurations=configurations, seeds=FactorSeeds.fresh(beside.seeds, *asked.seeds)
    )
    size = len(dump_comparison(spec).encode())
    if size > MAX_BYTES:
        raise InputError(
            f"{len(configurations)} configurations must fit a spec.yaml of {MAX_BYTES // 1024} "
            f"KiB, but need {size // 1024}; compare fewer at a time"
        )
    return ComparisonRequest(spec, {labels[place]: said for place, said in notes.items()})


def _own(asked: SeedsOptions, overrides: Sequence[str]) -> list[tuple[str, StudySpec]]:
    """The configurations that are asked about, the first of which the others are made like."""
    if asked.study is not None:
        _check_study(asked.study)
    if asked.configs:
        return [(label_of(given), _resolved(given, overrides)) for given in asked.configs]
    assert asked.study is not None
    if asked.top is not None:
        return _top(asked.study, asked.top, overrides)
    return [(BEST, _resolved(asked.study, overrides))]


def _resolved(given: str, overrides: Sequence[str]) -> StudySpec:
    """The configuration of a file, or of a study's best.yaml."""
    file = _file(given)
    spec = load_spec(file, overrides)
    if spec.domains:
        searched = ", ".join(spec.domains)
        raise InputError(
            f"{file}: a configuration must have one value for every setting, but {searched} "
            f"{'is a domain' if len(spec.domains) == 1 else 'are domains'}; run it with study.run "
            "and give the best.yaml that it writes, or fix each with --set"
        )
    return single_trial(spec)


def _top(study: str, count: int, overrides: Sequence[str]) -> list[tuple[str, StudySpec]]:
    """The best complete trials that keep the constraints, of the same settings the best one."""
    folder = StudyFolder(Path(study))
    spec = standing_spec(folder)
    goals = spec.goals
    record = StudyRecord.of(
        parse_events(folder.journal, folder.journal.read_bytes()), spec.objective
    )
    trials = ranked(record, goals)
    if not trials:
        raise InputError(
            f"{study}: must be a study with a complete trial, but {record.why_no_winner(goals)}; "
            "go on with it (study.run --resume)"
        )
    best = {repr(trial.settings): trial for trial in reversed(trials)}
    chosen = [trial for trial in trials if best[repr(trial.settings)] is trial]
    if count > len(chosen):
        raise InputError(
            f"--top {count}: the study must have as many complete trials of different settings, "
            f"but {study} has {len(chosen)}; ask for at most that many"
        )
    return [
        (
            f"trial-{trial.number}",
            read_spec(
                dump_spec(single_trial(resolve(spec, trial.params, trial.seeds))),
                f"{study}, trial {trial.number}",
                overrides,
            ),
        )
        for trial in chosen[:count]
    ]


def _check_study(study: str) -> None:
    folder = StudyFolder(Path(study))
    if not folder.spec.is_file() or not folder.journal.is_file():
        raise InputError(
            f"--study {study}: must be a study's folder, with spec.yaml and events.jsonl, but is "
            "none; give <storage>/<name> of a study"
        )
    _refuse_comparison(folder)
    standing_spec(folder)  # Which of a benchmark says what it is.


def _refuse_comparison(folder: StudyFolder) -> None:
    """Refuses the folder of a comparison or of a race, each with what it is good for."""
    path = folder.path
    study = StudyFolder(path.absolute().parent)
    if study.finalists == path.absolute() and study.spec.is_file():
        raise InputError(
            f"{path}: must be a study's folder, but is the race of its finalists; give "
            f"{path.parent}, or read the race with --analyse {path}"
        )
    if (
        folder.spec.is_file()
        and "configurations" in read_document(folder.spec, str(folder.spec)).values
    ):
        raise InputError(
            f"{path}: must be a study's folder, but is a comparison of seeds; read it with "
            f"--analyse {path}, or go on with it with --resume and what it was started with"
        )


def _file(given: str) -> str:
    """The file that is meant: of a study's folder its best.yaml."""
    path = Path(given)
    if not path.is_dir():
        return given
    _refuse_comparison(StudyFolder(path))
    best = StudyFolder(path).best_spec
    if not best.is_file():
        raise InputError(
            f"{given}: must be the folder of a study that has finished a trial, but has no "
            f"{best.name}; finish it with study.run --resume, or take the best so far (--top 1)"
        )
    return str(best)


def label_of(given: str) -> str:
    """Returns what a file or folder is called: a study's best.yaml like the study."""
    return (_study_of(given) or Path(given).absolute()).name.removesuffix(".yaml")[:50]


def _study_of(given: str) -> Path | None:
    """The study whose best trial a file or folder stands for, if any.

    Its best.yaml has the seeds of the trial; fresh ones lie beside those of the study, so that a
    configuration has the same seeds however it is named.
    """
    path = Path(given).absolute()
    folder = StudyFolder(path if path.is_dir() else path.parent)
    stands = path in (folder.path, folder.best_spec)
    return folder.path if stands and folder.spec.is_file() else None


def _unique(labels: Sequence[str]) -> list[str]:
    """The labels, those that come again with a number."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for label in labels:
        seen[label] += 1
        named = label if seen[label] == 1 else f"{label}-{seen[label]}"
        while named in found:
            seen[label] += 1
            named = f"{label}-{seen[label]}"
        found.append(named)
    return found
