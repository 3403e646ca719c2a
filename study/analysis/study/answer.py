"""The answer on the page: which settings, their scores with intervals, what they are held against.

Everything comes from `study.result`; this module puts it into words and positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.analysis.text import duration, shown
from study.spec.schema import SEARCHED
from study.storage.result import Estimate, Headline, StudyResult
from study.storage.result.collapse import lost_text

METRICS = {
    "mcc": "MCC",
    "auc": "AUC",
    "f1": "F1",
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "ece": "calibration error",
}
BASELINES = {
    "majority": "majority class",
    "gc": "GC content",
    "kmer": "5-mers",
    "cnn": "a CNN without pre-training",
}
"""Names of metrics and baselines, as people read them."""


@dataclass(frozen=True)
class Mark:
    """Something on the axis of a score, in percent of its width."""

    kind: str
    """`seeds` and `rows` are intervals, the others points."""
    left: float
    width: float
    text: str


@dataclass(frozen=True)
class Score:
    """The score of one split, and its axis."""

    split: str
    metric: str
    value: str
    seeds: str
    """How sure it is as to seeds."""
    rows: str
    """How sure it is as to the rows of the split; empty if not known."""
    marks: list[Mark]
    ends: tuple[str, str]
    """The numbers at the ends of the axis."""
    beside: str
    """The score against the baselines; empty without any."""


@dataclass(frozen=True)
class Answer:
    """What the box says."""

    trial: int
    title: str
    how: str
    """Which runs the scores are of."""
    settings: str
    """As a part of a YAML space."""
    scores: list[Score]
    metrics: list[tuple[str, ...]]
    """(metric, dev, test, weights on dev, weights on test) of every metric."""
    as_good: list[int]
    unique: str
    """Whether other settings are as good, in words."""


def answer(study: StudyData) -> Answer | None:
    """Returns the answer; None without a complete trial that may win."""
    result = study.result
    best = result.headline
    if best is None:
        return None
    return Answer(
        trial=best.trial,
        title=_title(result, best),
        how=_how(best),
        settings=settings_yaml(study, best.settings),
        scores=_scores(result, best),
        metrics=_metrics(best),
        as_good=list(result.as_good or ()),
        unique=_unique(result),
    )


def status(study: StudyData) -> str:
    """Returns a sentence on what is missing; empty if the study is finished."""
    result = study.result
    ended = len(result.in_state("complete", "pruned", "failed"))
    match result.phase:
        case "search":
            running = len(result.in_state("running"))
            text = f"The study is not finished: {ended} of {result.planned} trials have ended"
            return f"{text}, {running} are unfinished." if running else f"{text}."
        case "race":
            race = result.race
            runs = f": {race.runs_ended} of {race.runs_planned} runs have ended" if race else ""
            return f"All trials have ended; the race of the best is not finished{runs}."
        case "winner":
            return "The winner is chosen, but not yet evaluated on the test split."
        case "audit":
            return "The audit of early stopping is not finished: some of its trials still train."
        case "failed":
            return f"The study ended without a winner: {result.why_none}."
    return ""


def cost(study: StudyData) -> str:
    """Returns a sentence on trials, steps and time."""
    result = study.result
    race = result.race
    parts = [f"{len(result.trials)} trials"]
    parts += [f"{race.runs_ended} runs of the race"] if race else []
    parts += [f"{result.steps:,} steps"]
    if result.began is not None and result.last is not None:
        parts.append(f"{duration(result.last - result.began)} from the first to the last event")
    trained = sum(trial.seconds or 0.0 for trial in result.trials)
    parts += [f"{duration(trained)} summed over the trials"] if trained else []
    return ", ".join(parts) + "."


def settings_yaml(study: StudyData, settings: Mapping[str, object]) -> str:
    """Returns searched settings as lines of a YAML space, each in its section."""
    lines = []
    for section in SEARCHED:
        chosen = {k: v for k, v in settings.items() if section_of(study, k) == section}
        if chosen:
            lines += [
                f"{section}:",
                *(f"  {name}: {_yaml(value)}" for name, value in chosen.items()),
            ]
    return "\n".join(lines)


def section_of(study: StudyData, leaf: str) -> str:
    """Returns the section of a searched setting in the YAML."""
    return study.spec.section_of(leaf) if leaf in study.spec.leaves else "adapter"


def _yaml(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _title(result: StudyResult, best: Headline) -> str:
    if not best.final:
        return "Best so far"
    if any(light.level == "bad" for light in result.health):
        return "The best trial, but something is wrong"
    return "Use these settings"


def _how(best: Headline) -> str:
    if best.confirmed:
        one = next(iter(best.dev.values()))
        seeds = f"{one.count} fresh seeds" if one.count > 1 else "one fresh seed"
        return f"Trial {best.trial}, confirmed with {seeds} that did not choose it."
    text = f"Trial {best.trial}. The dev score is of the single run by which it was chosen"
    return f"{text}, so it is optimistic; no other seed has confirmed it."


def _unique(result: StudyResult) -> str:
    if result.as_good is None:
        return "How many others are as good is not known until a race is over."
    count = len(result.as_good)
    if count:
        others = "Another trial cannot" if count == 1 else f"{count} other trials cannot"
        return f"Not unique: {others} be told from it by their scores."
    return "No other trial is as good, as far as the scores tell."


def _scores(result: StudyResult, best: Headline) -> list[Score]:
    names = [name for name in (result.test_metric, result.metric) if best.score(name)]
    return [_score(name, one, result, best) for name in names if (one := best.score(name))]


def _score(name: str, one: Estimate, result: StudyResult, best: Headline) -> Score:
    split, metric = name.split("_", 1)
    if one.low is not None and one.high is not None:
        seeds = (
            f"{shown3(one.low)} to {shown3(one.high)}: 95 % interval over {one.count} seeds on "
            f"these rows of {split}"
        )
    else:
        seeds = "a single run: its spread over seeds is not known"
    if one.scored > 1 or one.failed or one.collapsed:
        seeds += f"; {lost_text(one)}"
    half = one.sampling_half_width
    count = result.rows.get(split)
    rows = "" if half is None else f"± {shown3(half)}: 95 % from the {count:,} rows of {split}"
    if one.over_splits is not None:
        low, high = one.over_splits
        rows = (
            f"{shown3(low)} to {shown3(high)}: 95 % interval over seeds and {split} sets of "
            f"{count:,} rows (± {shown3(half or 0.0)} from the rows alone)"
        )
    baselines = {
        BASELINES.get(key, key): scores[name]
        for key, scores in result.baselines.items()
        if name in scores
    }
    marks, ends = _axis(one, baselines, best.search if split == "dev" else None)
    return Score(
        split=split,
        metric=METRICS.get(metric, metric),
        value=shown3(one.mean),
        seeds=seeds,
        rows=rows,
        marks=marks,
        ends=ends,
        beside=_beside(one, baselines, result.maximize),
    )


def _axis(
    one: Estimate, baselines: Mapping[str, float], search: float | None
) -> tuple[list[Mark], tuple[str, str]]:
    """Returns the marks of a score's axis, and the numbers at its ends."""
    spans = [("rows", one.mean - half, one.mean + half, f"± {shown3(half)} from the finite split")
             for half in [one.sampling_half_width] if half is not None]  # fmt: skip
    if one.low is not None and one.high is not None:
        text = f"{shown3(one.low)} to {shown3(one.high)} over seeds"
        spans.append(("seeds", one.low, one.high, text))
    points = [("run", score, f"one run: {shown3(score)}") for score in one.scores]
    points += [
        ("baseline", score, f"{name}: {shown3(score)}") for name, score in baselines.items()
    ]
    points += [] if search is None else [("search", search, f"in the search: {shown3(search)}")]
    points += [("mean", one.mean, f"mean: {shown3(one.mean)}")] if one.count > 1 else []
    values = [value for _, *ends, _ in spans for value in ends] + [value for _, value, _ in points]
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or 0.05
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    marks = [
        Mark(kind, place(a), round(place(b) - place(a), 2), text) for kind, a, b, text in spans
    ]
    marks += [Mark(kind, place(value), 0.0, text) for kind, value, text in points]
    return marks, (shown3(low), shown3(high))


def _beside(one: Estimate, baselines: Mapping[str, float], maximize: bool) -> str:
    """Returns the score against each baseline in words."""
    sign = 1 if maximize else -1
    parts = []
    for name, score in baselines.items():
        gap = sign * (one.mean - score)
        parts.append(
            f"{shown3(abs(gap))} {'better' if gap > 0 else 'worse'} than {name} ({shown3(score)})"
        )
    return ", ".join(parts)


def _metrics(best: Headline) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name.split("_", 1)[1] for name in (*best.dev, *best.test))
    return [
        (
            METRICS.get(name, name),
            *(_interval(scores.get(f"{split}_{name}")) for split, scores in _splits(best)),
            *(shown(best.weights.get(f"{split}_{name}")) for split in ("dev", "test")),
        )
        for name in names
    ]


def _splits(best: Headline) -> Sequence[tuple[str, Mapping[str, Estimate]]]:
    return (("dev", best.dev), ("test", best.test))


def _interval(one: Estimate | None) -> str:
    if one is None:
        return shown(None)
    if one.low is None or one.high is None:
        return shown(one.mean)
    return f"{shown(one.mean)} ({shown(one.low)} to {shown(one.high)})"


def shown3(value: float) -> str:
    """Returns a score with three decimals."""
    return f"{value:.3f}".replace("-", "−")
