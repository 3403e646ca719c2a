"""A snapshot as lines of text that fit a terminal; no line is longer than its width."""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from study.engine.console.lines import format_value
from study.storage.live.snapshot import Ended, Group, Running, Snapshot
from study.storage.result.collapse import lost_text
from study.storage.result.estimates import Estimate
from study.storage.result.fields import Headline
from study.storage.result.time_left import TimeLeft

WIDTH = 80
"""Columns where there is no terminal."""
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
CURVE_WIDTH = 12
"""Reports of a curve that are shown: the latest."""
SETTINGS_LINES = 2
SILENT = 120.0
"""Seconds without a sign of life after which that is said: workers take a while to start."""
WORDS = {"stopped_early": "stopped early"}
SEEDS = ("seed", "mask", "init", "data")
"""Labels of runs that are shown with their names."""
LIGHTS = {"bad": "red", "warn": "yellow"}
STYLES = {"stopped_early": "dim", "failed": "red", "running": "", "complete": ""}


class ViewLine(NamedTuple):
    """A line and its style, of rich."""

    text: str
    style: str = ""


def view(
    snapshot: Snapshot, width: int = WIDTH, height: int | None = None, unicode: bool = True
) -> list[ViewLine]:
    """Returns the lines of a snapshot: state, best, rungs, running and ended trials, failures.

    What is most important comes first: with a `height` the last lines are left out.
    """
    shown = snapshot.race if snapshot.phase == "race" and snapshot.race else snapshot
    head = [*_state(snapshot), *_best(snapshot, width), *_rungs(snapshot)]
    head += _health(snapshot, width)
    body = [*_groups(shown), *_running(shown, unicode), *_failures(shown), *_ended(shown)]
    lines = [_fitted(line, width, unicode) for line in (*head, *body)]
    if height is not None and len(lines) > height:
        left = len(lines) - height + 1
        lines = [*lines[: height - 1], ViewLine(f"and {left} more lines", "dim")]
    return lines


def sparkline(values: Sequence[float | None], unicode: bool = True) -> str:
    """Returns the latest values as bars from the least to the largest; `x` if not finite."""
    bars = BARS if unicode else ASCII_BARS
    known = [value for value in values if value is not None]
    if not known:
        return "x" * len(values[-CURVE_WIDTH:])
    low, high = min(known), max(known)
    scale = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(
        "x" if value is None else bars[round((value - low) * scale)]
        for value in values[-CURVE_WIDTH:]
    )


def duration(seconds: float) -> str:
    """Returns a time in words, with two units: 3 h 05 min, 4 min 10 s, 12 s."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} days {hours % 24} h"


def time_left_text(left: TimeLeft | None) -> str:
    """Returns the time that is left with its interval."""
    if left is None:
        return "time left not known yet"
    between = f"{_short(left.low)} to {_short(left.high)}"
    return f"about {_short(left.seconds)} left ({between})"


def _short(seconds: float) -> str:
    """Returns a time in one unit, as an estimate has no more digits than that."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def silence_text(snapshot: Snapshot) -> str:
    """Returns for how long nothing has given a sign of life; empty if something works."""
    if snapshot.silent is None or snapshot.silent <= SILENT:
        return ""
    return f"no sign of life for {duration(snapshot.silent)}"


def counts_text(snapshot: Snapshot) -> str:
    """Returns the number of trials in each state; those of runs have no early stopping."""
    hidden = () if snapshot.kind == "study" else ("stopped_early",)
    return ", ".join(
        f"{count} {WORDS.get(state, state)}"
        for state, count in snapshot.counts.items()
        if state not in hidden
    )


def _state(snapshot: Snapshot) -> Iterable[ViewLine]:
    doing = {
        "search": "search",
        "race": "race of the finalists",
        "winner": "evaluation of the winner",
        "audit": "audit of early stopping",
        "runs": "runs",
        "finished": "finished",
        "failed": "finished without a winner",
    }[snapshot.phase]
    silent = silence_text(snapshot)
    left = "" if snapshot.is_over or silent else f", {time_left_text(snapshot.time_left)}"
    yield ViewLine(f"{snapshot.name}: {doing}; {duration(snapshot.seconds)}{left}", "bold")
    if silent:
        yield ViewLine(f"silent   {silent}: interrupted? --resume continues", "red")
    what = "trials" if snapshot.kind == "study" else "runs"
    yield ViewLine(f"{what:<8} {snapshot.over} of {snapshot.planned}: {counts_text(snapshot)}")
    race = snapshot.race
    if race is not None:
        yield ViewLine(f"race     {race.over} of {race.planned} runs: {counts_text(race)}")
    facts = []
    shown = race or snapshot
    if shown.per_hour is not None:
        facts.append(f"{shown.per_hour:.3g} {'runs' if race else what} an hour")
    if shown.peak_memory_gib is not None:
        facts.append(f"peak memory {shown.peak_memory_gib:.2f} GiB a trial")
    if facts:
        yield ViewLine(f"{'pace':<8} {', '.join(facts)}")


def _best(snapshot: Snapshot, width: int) -> Iterable[ViewLine]:
    if snapshot.kind != "study":
        return
    best = snapshot.headline
    if best is None:
        yield ViewLine("best     none yet: no trial is complete")
        return
    title = "winner" if best.final else "best"
    scores = [_estimate(one) for part in (best.dev, best.test) for one in list(part.values())[:1]]
    source = _source(best) if best.confirmed else "one run, in the search"
    yield ViewLine(f"{title:<8} trial {best.trial}: {', '.join(scores[:1])}; {source}", "bold")
    yield from (ViewLine(f"         {score}", "bold") for score in scores[1:])
    words = [f"{name}={format_value(value)}" for name, value in best.settings.items()]
    yield from (ViewLine(f"         {line}") for line in wrapped(words, width - 9))


def _source(best: Headline) -> str:
    score = next(iter(best.dev.values()), None)
    lost = "" if score is None or not (score.failed or score.collapsed) else lost_text(score)
    return f"{len(best.seeds)} fresh seeds" + (f", {lost}" if lost else "")


def _estimate(one: Estimate) -> str:
    """Returns a mean with its interval over seeds; of one run its score."""
    if one.low is None or one.high is None:
        return f"{one.metric} {one.mean:.4f}"
    return f"{one.metric} {one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"


def _health(snapshot: Snapshot, width: int) -> Iterable[ViewLine]:
    """Returns what is wrong; what cannot be said only when no more trials will come."""
    levels = ("bad", "warn", "unknown") if snapshot.is_over else ("bad", "warn")
    for light in snapshot.health:
        if light.level not in levels:
            continue
        style = LIGHTS.get(light.level, "")
        lines = wrapped(f"{light.level}: {light.text}".split(), width - 9, most=3)
        for title, line in zip(("health", "", ""), lines, strict=False):
            yield ViewLine(f"{title:<8} {line}", style)


def wrapped(words: Sequence[str], width: int, most: int = SETTINGS_LINES) -> list[str]:
    """Returns words in up to `most` lines of `width` characters, the last cut with `…`."""
    lines, gap = [""], " " if most > SETTINGS_LINES else "  "
    for word in words:
        joined = f"{lines[-1]}{gap}{word}" if lines[-1] else word
        if len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]}  …"]
    return lines


def _rungs(snapshot: Snapshot) -> Iterable[ViewLine]:
    title = "rungs"
    for rung in snapshot.rungs:
        cutoff = "" if rung.cutoff is None else f", last against {rung.cutoff:.4f}"
        reached = rung.passed + rung.stopped
        text = f"report {rung.report}: {rung.passed} of {reached} trials continued{cutoff}"
        if not reached:
            text = f"report {rung.report}: no trial has reached it"
        yield ViewLine(f"{title:<8} {text}")
        title = ""


def _groups(snapshot: Snapshot) -> Iterable[ViewLine]:
    if not snapshot.groups:
        return
    yield ViewLine("")
    yield ViewLine(f"runs ended, {snapshot.metric} mean ± standard deviation", "underline")
    width = max(len(group.label) for group in snapshot.groups)
    for group in snapshot.groups:
        yield ViewLine(f"  {group.label:<{width}}  {_scores(group)}")


def _scores(group: Group) -> str:
    failed = f", {group.failed} failed" if group.failed else ""
    mean = "      " if group.mean is None else f"{group.mean:.4f}"
    spread = "" if group.deviation is None else f" ± {group.deviation:.4f}"
    return f"{mean}{spread} ({group.ended}{failed})"


def _running(snapshot: Snapshot, unicode: bool) -> Iterable[ViewLine]:
    if not snapshot.running:
        return
    yield ViewLine("")
    yield ViewLine(f"running, with {snapshot.metric} of each report", "underline")
    for trial in snapshot.running:
        text = _running_text(trial, _noun(snapshot), unicode)
        yield ViewLine(text, "red" if trial.stalled_minutes else "")


def _running_text(trial: Running, noun: str, unicode: bool) -> str:
    last = trial.curve[-1] if trial.curve else None
    score = "      " if last is None else f"{last:.4f}"
    curve = sparkline(trial.curve, unicode)
    done = f"{trial.reports}/{trial.planned}"
    text = f"  {label(noun, trial.trial)} {done:>5} {score:>7} {curve:<{CURVE_WIDTH}} "
    if trial.stalled_minutes:
        return f"{text} no sign of life for {trial.stalled_minutes:.3g} min"
    return f"{text} {duration(trial.seconds):>11}  {_values(trial.labels)}"


def _failures(snapshot: Snapshot) -> Iterable[ViewLine]:
    if not snapshot.failures:
        return
    yield ViewLine("")
    yield ViewLine("failed", "underline red")
    for reason, trials in sorted(snapshot.failures.items(), key=lambda one: -len(one[1])):
        numbers = ", ".join(map(str, trials[:3])) + (", …" if len(trials) > 3 else "")
        yield ViewLine(f"  {len(trials)}: {reason} ({_noun(snapshot)} {numbers})", "red")


def _ended(snapshot: Snapshot) -> Iterable[ViewLine]:
    if not snapshot.ended:
        return
    yield ViewLine("")
    yield ViewLine("ended, the latest first", "underline")
    for trial in snapshot.ended:
        yield ViewLine(_ended_text(trial, _noun(snapshot)), STYLES[trial.state])


def _ended_text(trial: Ended, noun: str) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(trial.time))
    score = "" if trial.score is None else f"{trial.score:.4f}"
    done = f"{trial.reports}/{trial.planned}"
    state = WORDS.get(trial.state, trial.state)
    rest = trial.reason if trial.state == "failed" else _values(trial.labels)
    return f"  {label(noun, trial.trial)} {done:>5} {score:>7} {state:<13} {at}  {rest}"


def _noun(snapshot: Snapshot) -> str:
    """Returns what is numbered: the trials of a study, or runs, whose labels name the trial."""
    return "trial" if snapshot.kind == "study" else "run"


def label(noun: str, number: int) -> str:
    """Returns a trial or run with its number, in columns."""
    return f"{noun:<5} {number:>3}"


def _values(labels: Mapping[str, object]) -> str:
    """Returns settings as `p=0.1`; the labels of a run as `best mask 3`, without empty ones."""
    if not {"configuration", "method"} & set(labels):
        return " ".join(f"{name}={format_value(value)}" for name, value in labels.items())
    return " ".join(
        f"{name} {value}" if name in SEEDS else str(value)
        for name, value in labels.items()
        if value not in (None, "")
    )


def _fitted(line: ViewLine, width: int, unicode: bool) -> ViewLine:
    """Returns a line of at most `width` characters without control characters."""
    text = "".join(c if c.isprintable() else "?" for c in line.text)
    if not unicode:
        for mark, plain in (("…", "..."), ("±", "+-"), ("·", "-")):
            text = text.replace(mark, plain)
        text = text.encode("ascii", "replace").decode()
    if len(text) <= width:
        return ViewLine(text, line.style)
    end = "…" if unicode else "..."
    return ViewLine(text[: width - len(end)] + end, line.style)


def plain(lines: Iterable[ViewLine]) -> str:
    """Returns lines as text without styles."""
    return "\n".join(chain(line.text.rstrip() for line in lines))
