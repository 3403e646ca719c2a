"""What the terminal says of an examination."""

from collections.abc import Iterator

from study.engine.doctor.examination import Examination, Result


def report(examination: Examination) -> list[str]:
    """Returns one line a group, then every finding with the way to mend it."""
    subject = examination.subject
    work = "is at work: what is unfinished is as it should be" if subject.running else "none"
    lines = [f"folder       {subject.folder.path}", f"driver       {work}"]
    lines += [f"{result.group:<12} {_verdict(result)}" for result in examination.results]
    return [*lines, *_findings(examination)]


def _verdict(result: Result) -> str:
    counts = f"{len(result.findings)} finding{'s' if len(result.findings) > 1 else ''}"
    found = counts if result.findings else "ok"
    if not result.not_checked:
        return found
    return ("" if found == "ok" else f"{found}; ") + f"not checked: {result.not_checked}"


def _findings(examination: Examination) -> Iterator[str]:
    findings = examination.findings
    for finding in sorted(findings, key=lambda one: one.unfinished):
        yield ""
        yield f"{finding.group}: {finding.problem}"
        yield f"  mend: {finding.mend}"
    if findings and all(finding.unfinished for finding in findings):
        yield ""
        yield "nothing is damaged; an interruption leaves this behind, and one command mends it:"
        yield f"  {examination.subject.resume}"
