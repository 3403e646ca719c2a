"""Results of an earlier study with which the sampler of a new one starts: `--warm-start DIR`.

They are journalled once, in terms of the present space and goals, so that a resume does not need
the earlier study. Only the sampler uses them, as trials before the first: rungs, tables and the
choice of the winner do not, as the earlier study may have another task or backbone.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.errors import InputError, instead_of
from study.spec import StudySpec, parameter_name
from study.spec.benchmark.loading import is_benchmark
from study.spec.domains import Choice, Domain, fit
from study.spec.samplers import LEARNING
from study.storage.events import EarlierTrial, WarmStart
from study.storage.folder import StudyFolder
from study.storage.opening import check_journal
from study.storage.record import TrialRecord
from study.storage.stored import StoredStudy


def earlier_results(stored: StoredStudy, source: Path, spec: StudySpec) -> WarmStart | None:
    """Returns the results of the study in `source`; None if they have been taken over already.

    Raises:
        InputError: the study has started without them; `source` is not the folder of a study, has
            another metric, or no result in this space; the sampler does not learn from results.
    """
    record = stored.record(spec.objective)
    if record.warm_start is not None and record.warm_start.source == str(source):
        return None
    if record.warm_start is not None or record.trials:
        began = "without" if record.warm_start is None else f"with {record.warm_start.source}"
        raise InputError(
            f"--warm-start {source}: must be given before the first trial, but got "
            f"{stored.folder.path}, which began {began}; leave the option out, or choose "
            "another --name"
        )
    if spec.search.sampler.name not in LEARNING:
        raise InputError(
            f"--warm-start {source}: the sampler must be one that learns from results of other "
            f"trials, but got {spec.search.sampler.name}; choose one of {', '.join(LEARNING)}"
        )
    return _read(source, spec)


def _read(source: Path, spec: StudySpec) -> WarmStart:
    folder = StudyFolder(source)
    try:
        folder.journal.exists()
    except OSError as error:
        raise InputError(
            f"--warm-start {str(source)[:100]}: must be the folder of a study, but got "
            f"{error.strerror}; give <storage>/<name> of one"
        ) from None
    complete = folder.spec.is_file() and folder.journal.is_file()
    if not complete or is_benchmark(folder.spec):
        given = "a benchmark" if complete else instead_of(folder.spec, folder.journal)
        raise InputError(
            f"--warm-start {source}: must be the folder of a study, with spec.yaml and "
            f"events.jsonl, but got {given}; give <storage>/<name> of a study"
        )
    earlier = StoredStudy.read(folder)
    check_journal(earlier)
    before = earlier.spec
    if before.objective != spec.objective:
        raise InputError(
            f"--warm-start {source}: both studies must have the same search.metric, but got "
            f"{before.search.metric} there and {spec.search.metric} here; change search.metric, "
            "or leave the option out"
        )
    results, left_out = [], Counter[str]()
    for trial in earlier.study_record().in_state("complete", "pruned"):
        try:
            results.append(_taken_over(trial, before, spec))
        except ValueError as error:
            left_out[str(error)] += 1
    if not results:
        why = "; ".join(f"{count} trials: {reason}" for reason, count in left_out.items())
        raise InputError(
            f"--warm-start {source}: must have results in this space, but got none"
            f"{f' ({why})' if why else ''}; widen the space, or leave the option out"
        )
    return WarmStart(
        source=str(source),
        results=results,
        left_out=dict(left_out),
        differs=_differences(before, spec),
    )


def _taken_over(trial: TrialRecord, before: StudySpec, spec: StudySpec) -> EarlierTrial:
    """Returns a trial in terms of the present study.

    Raises:
        ValueError: it does not fit; the message is the reason.
    """
    complete, goals = trial.state == "complete", spec.goals
    values = goals.values(trial.metrics) if complete else None
    if trial.value is None or (complete and values is None):
        raise ValueError("without a value of every objective")
    return EarlierTrial(
        trial=trial.number,
        params=_params(trial, before, spec),
        state="complete" if complete else "pruned",
        values=values,
        steps=list(trial.values.items()),
        violations=trial.violations(goals.constraints),
    )


def _params(trial: TrialRecord, before: StudySpec, spec: StudySpec) -> dict[str, Choice]:
    """Returns the trial's values of the parameters that are searched here."""
    leaves = before.fixed | trial.settings
    here = spec.fixed
    for leaf in before.domains:
        if leaf in here and leaves[leaf] != here[leaf]:
            raise ValueError(f"{leaf} is fixed here, at another value")
    params = {}
    for leaf, domain in spec.domains.items():
        name = parameter_name(leaf, domain)
        if name not in trial.params and leaf not in leaves:
            raise ValueError(f"without {leaf}")
        value = trial.params.get(name, _value(leaf, domain, leaves))
        try:
            params[name] = fit(domain, value)
        except ValueError:
            raise ValueError(f"{name} outside its domain") from None
    return params


def _value(leaf: str, domain: Domain, leaves: Mapping[str, Any]) -> Any:
    """Returns a leaf's value as a parameter: bT as a share of b0 if the ratio is searched."""
    is_ratio = parameter_name(leaf, domain) != leaf
    return leaves[leaf] / leaves["b0"] if is_ratio else leaves[leaf]


def _differences(before: StudySpec, spec: StudySpec) -> list[str]:
    """Returns what else differs: backbone, task, and settings that are fixed in both."""
    there, here = before.fixed, spec.fixed
    leaves = [leaf for leaf in here if leaf in there and here[leaf] != there[leaf]]
    of_backbone = [leaf for leaf in leaves if spec.section_of(leaf) == "backbone"]
    sections = ["backbone"] if of_backbone else []
    sections += ["task"] if before.task != spec.task else []
    return sections + [leaf for leaf in leaves if leaf not in of_backbone]
