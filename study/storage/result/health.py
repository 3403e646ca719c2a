"""The health of a study: what a reader must know before believing its answer."""

import math
from collections.abc import Iterator
from dataclasses import replace

from study.spec import StudySpec, parameter_name
from study.spec.domains import CategoricalDomain, Domain
from study.storage.events import StudyOpened
from study.storage.record import StudyRecord
from study.storage.result.allocation import allocation_lights
from study.storage.result.collapse import NAMES, is_one_class
from study.storage.result.fields import Headline, Level, Light, StudyResult

ENOUGH = 16
"""Complete trials from which on the effect of a setting can be seen. With n trials a rank
correlation differs from 0 with 95 % confidence if it exceeds 1.96 / sqrt(n - 1): with 16 trials
0.5, a setting that explains a quarter of the variance."""
EDGE = 0.02
"""A value that is nearer to an end of its domain, as a share of the domain, is at the edge."""
NATURAL_ENDS = {
    "p": (0.0, 1.0),
    "p_reintroduce": (0.0, 1.0),
    "bT_ratio": (0.0, 1.0),
    "beta1": (0.0, 1.0),
    "beta2": (0.0, 1.0),
    "final_fraction": (0.0, 1.0),
    "weight_decay": (0.0, None),
    "dropout": (0.0, 1.0),
    "gamma": (0.0, None),
    "b0": (1, None),
    "bT": (1, None),
    "rank": (1, None),
}
"""Ends beyond which there are no values, so that a domain cannot be wider."""
BASELINE_WORDS = {
    "majority": "the most frequent class has",
    "gc": "logistic regression on GC content has",
    "kmer": "logistic regression on 5-mers has",
    "cnn": "a CNN without pre-training has",
}
_ORDER: dict[Level, int] = {"bad": 0, "warn": 1, "unknown": 2, "ok": 3}


def with_health(result: StudyResult, spec: StudySpec, record: StudyRecord) -> StudyResult:
    """Returns the result with its lights, the worst first."""
    best = result.headline and record.trials[result.headline.trial]
    found = [
        *_failures(result),
        *_collapse(result),
        *_floor(result),
        *_confirmation(result),
        *_amount(result),
        *_differences(result),
        *_edges(result, spec),
        *_truncation(record.opened),
        *(allocation_lights(best, spec) if best else ()),
    ]
    return replace(result, health=tuple(sorted(found, key=lambda light: _ORDER[light.level])))


def _failures(result: StudyResult) -> Iterator[Light]:
    ended, failed = result.in_state("complete", "pruned", "failed"), result.in_state("failed")
    runs = result.race.failed if result.race else 0
    if not ended:
        return
    text = f"{len(failed)} of {len(ended)} trials failed"
    if runs:
        text += f", and {runs} run{'s' * (runs > 1)} of the race"
    level: Level = "bad" if 2 * len(failed) >= len(ended) else "warn"
    yield Light("failures", level if failed or runs else "ok", f"{text}.")


def _collapse(result: StudyResult) -> Iterator[Light]:
    names = [f"dev_{name}" for name in NAMES]
    scored = [t for t in result.trials if t.metrics.get("dev_mcc") is not None]
    alike = [t.number for t in scored if is_one_class(*map(t.metrics.get, names))]
    if not scored:
        return
    winner = result.headline and result.headline.score(result.metric)
    if winner and winner.collapsed:
        runs = winner.scored
        what = "" if runs == 1 else f" in {winner.collapsed} of {runs} runs"
        text = f"The best trial predicts one class for all sequences{what} (MCC 0)."
        yield Light("collapse", "bad", text)
    else:
        text = f"{len(alike)} of {len(scored)} trials predict one class for all dev sequences."
        yield Light("collapse", "warn" if 4 * len(alike) >= len(scored) else "ok", text)


def _floor(result: StudyResult) -> Iterator[Light]:
    """Compares the winner with classifiers without a pretrained backbone, on test if it can be."""
    headline = result.headline
    if headline is None:
        return
    metric = result.test_metric if headline.test else result.metric
    score = headline.score(metric)
    floors = {name: one[metric] for name, one in result.baselines.items() if metric in one}
    if not floors or score is None:
        yield Light("floor", "unknown", "Not compared with 5-mers: they were not computed.")
        return
    sign = 1 if result.maximize else -1
    # A trained network is a strong opponent: to lose to it does not mean that the study failed.
    simple = {name: floor for name, floor in floors.items() if name != "cnn"}
    beaten = [one for one in floors.values() if sign * (score.mean - one) <= 0]
    failed = [one for one in simple.values() if sign * (score.mean - one) <= 0]
    name, best = max((simple if failed else floors).items(), key=lambda one: sign * one[1])
    words = f"{metric} {score.mean:.3f}, and {BASELINE_WORDS.get(name, name)} {best:.3f}"
    ends = [one for one in (score.low, score.high) if one is not None]
    if beaten:
        text = "The best trial is no better than a classifier without a pretrained backbone"
        yield Light("floor", "bad" if failed else "warn", f"{text}: {words}.")
    elif any(sign * (end - best) <= 0 for end in ends):
        text = "The best trial is not clearly better than one without a pretrained backbone"
        yield Light("floor", "warn", f"{text}: {words}.")
    else:
        text = "Better than classifiers without a pretrained backbone"
        yield Light("floor", "ok", f"{text}: {words}.")


def _confirmation(result: StudyResult) -> Iterator[Light]:
    headline = result.headline
    if headline is None or not headline.final:
        return
    if headline.confirmed:
        count = len(headline.seeds)
        text = f"The score is of {count} runs with seeds that did not choose the winner."
        yield Light("confirmation", "ok", text)
    else:
        text = "The score is of the single run by which the winner was chosen: it is optimistic."
        yield Light("confirmation", "warn", text)


def _amount(result: StudyResult) -> Iterator[Light]:
    complete = len([t for t in result.in_state("complete") if t.score is not None])
    if result.planned < 2 or not result.trials:
        return
    if complete >= ENOUGH:
        text = f"{complete} complete trials show effects of a quarter of the variance or more."
        yield Light("trials", "ok", text)
        return
    text = f"{complete} complete trials are too few to say which settings matter: {ENOUGH} show "
    text += "a setting that explains a quarter of the variance."
    yield Light("trials", "unknown" if result.phase == "search" else "warn", text)


def _differences(result: StudyResult) -> Iterator[Light]:
    if result.as_good is None:
        return
    complete = len(result.in_state("complete"))
    equal = len(result.as_good)
    text = f"{equal} of the other {complete - 1} complete trials cannot be told from the winner."
    yield Light("differences", "warn" if equal and equal >= complete - 1 else "ok", text)


def _edges(result: StudyResult, spec: StudySpec) -> Iterator[Light]:
    if result.headline is None or not spec.domains:
        return
    found = list(_at_an_edge(result.headline, spec))
    if found:
        text = (
            "The best setting is at an end of what was searched, and better ones may lie beyond: "
        )
        yield Light("edge", "warn", f"{text}{'; '.join(found)}.")
    else:
        yield Light("edge", "ok", "The best setting is inside of the domains.")


def _at_an_edge(headline: Headline, spec: StudySpec) -> Iterator[str]:
    for leaf, domain in spec.domains.items():
        name = parameter_name(leaf, domain)
        value = headline.params.get(name)
        if isinstance(domain, CategoricalDomain) or not isinstance(value, int | float):
            continue
        place = _place(domain, value)
        least, most = NATURAL_ENDS.get(name, (None, None))
        if place <= EDGE and domain.low != least:
            yield f"{name} = {value:.4g}, from {domain.low:g}"
        elif place >= 1 - EDGE and domain.high != most:
            yield f"{name} = {value:.4g}, up to {domain.high:g}"


def _place(domain: Domain, value: float) -> float:
    """Returns where a value lies in its domain, 0 to 1, on the domain's scale."""
    assert not isinstance(domain, CategoricalDomain)
    ends = (domain.low, domain.high, value)
    low, high, at = map(math.log, ends) if domain.log else map(float, ends)
    return 0.5 if high == low else (at - low) / (high - low)


def _truncation(opened: StudyOpened | None) -> Iterator[Light]:
    tokens = (opened and opened.tokens) or None
    if tokens is None:
        return
    cut = {name: one["truncated"] for name, one in tokens["splits"].items() if one["truncated"]}
    if not cut:
        yield Light("truncation", "ok", "No sequence is cut.")
        return
    shares = ", ".join(f"{share:.1%} of {name}" for name, share in cut.items())
    text = f"Sequences with more than {tokens['max_length']} tokens are cut: {shares}."
    yield Light("truncation", "bad" if max(cut.values()) > 0.5 else "warn", text)
