"""All groups of checks of a folder, and the text for the terminal."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from study.doctor import (
    checkpoints,
    files,
    journal,
    optuna_journal,
    rungs,
    tracking,
    trials,
    winner,
)
from study.doctor.finding import Finding, NotCheckedError
from study.doctor.subject import Subject, read_subject

# The journal comes first: all others are compared with it.
GROUPS: dict[str, Callable[[Subject], Iterable[Finding]]] = {
    "journal": journal.check,
    "trials": trials.check,
    "scheduler": rungs.check,
    "optuna": optuna_journal.check,
    "checkpoints": checkpoints.check,
    "winner": winner.check,
    "mlflow": tracking.check,
    "files": files.check,
}


@dataclass(frozen=True)
class Result:
    """The findings of a group of checks."""

    group: str
    findings: list[Finding]
    not_checked: str = ""
    """The reason; empty if it was checked."""


@dataclass(frozen=True)
class Examination:
    """The findings in a folder."""

    subject: Subject
    results: list[Result]

    @property
    def findings(self) -> list[Finding]:
        """The findings of all groups."""
        return [finding for result in self.results for finding in result.findings]


def examine_closely(path: Path, tracking_uri: str | None = None) -> Examination:
    """Runs all checks of the study folder `path`; writes nothing and needs no Ray cluster.

    Raises:
        InputError: it is no study folder, or one of a newer version of this package.
    """
    subject = read_subject(path.absolute(), tracking_uri)
    first, *others = GROUPS
    results = [_result(first, subject)]
    if any(not finding.unfinished for finding in results[0].findings):
        # Nothing else can be held against a journal that is damaged itself.
        subject = replace(subject, record=None)
    return Examination(subject, results + [_result(name, subject) for name in others])


def examine(path: Path, tracking_uri: str | None = None) -> list[Finding]:
    """Returns the findings in the study folder `path`; see `examine_closely`."""
    return examine_closely(path, tracking_uri).findings


def _result(name: str, subject: Subject) -> Result:
    findings: list[Finding] = []
    try:
        findings.extend(GROUPS[name](subject))
    except NotCheckedError as error:
        return Result(name, findings, str(error))
    return Result(name, findings)


def report(examination: Examination) -> list[str]:
    """Returns one line per group, then every finding and how to fix it."""
    subject = examination.subject
    work = "is at work: unfinished parts are no findings" if subject.running else "none"
    path, opened = subject.folder.path, subject.stored.opened
    renamed = opened is not None and opened.name != path.name
    before = f" (started as {opened.name})" if opened and renamed else ""
    lines = [f"folder       {path}{before}", f"driver       {work}"]
    lines += [f"{result.group:<12} {_verdict(result)}" for result in examination.results]
    return [*lines, *_findings(examination)]


def _verdict(result: Result) -> str:
    counts = f"{len(result.findings)} finding{'s' if len(result.findings) > 1 else ''}"
    verdict = counts if result.findings else "ok"
    if not result.not_checked:
        return verdict
    return ("" if verdict == "ok" else f"{verdict}; ") + f"not checked: {result.not_checked}"


def _findings(examination: Examination) -> Iterator[str]:
    findings = examination.findings
    for finding in sorted(findings, key=lambda one: one.unfinished):
        yield ""
        yield f"{finding.group}: {finding.problem}"
        yield f"  fix: {finding.fix}"
    if findings and all(finding.unfinished for finding in findings):
        yield ""
        yield "nothing is damaged; an interruption has left this behind, and one command fixes it:"
        yield f"  {examination.subject.resume}"
