"""The pairs of configurations that are compared, by the settings in which they differ.

A pair that differs in one setting only is a question about that setting. The method `adalora` is
AdaLoRA+RS with p = 0 and a deterministic final mask. Every pair has one kind:

    p         p > 0 against p = 0
    setting   one other setting: p_reintroduce, final_mask, prune_mode, two p > 0, ...
    other     more than one setting differs

All pairs are compared; with more than `ALL_PAIRS` configurations only the leader with each other
one, as study/spec/comparison/planning.py counts them.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from study.analysis.comparison.results import ComparisonResults
from study.spec.comparison.planning import ALL_PAIRS

Kind = Literal["p", "setting", "other"]


@dataclass(frozen=True)
class Question:
    """Configuration a against configuration b, by their labels."""

    a: str
    b: str
    kind: Kind
    text: str
    """The question as a noun phrase: "p = 0.1 against p = 0"."""


def questions(comparison: ComparisonResults, leader: str) -> list[Question]:
    """Returns the pairs to compare, the questions about p first; the leader comes first in a pair.

    In a question about p the configuration with p > 0 is `a`.
    """
    labels = list(comparison.configurations)
    settings = {label: _settings(comparison, label) for label in labels}
    few = len(labels) <= ALL_PAIRS
    pairs = []
    for a, b in combinations([leader, *(name for name in labels if name != leader)], 2):
        if few or leader in (a, b):
            other = Question(a, b, "other", f"{a} against {b}")
            pairs.append(_about_setting(a, b, settings) or other)
    order: tuple[Kind, ...] = ("p", "setting", "other")
    return sorted(pairs, key=lambda question: order.index(question.kind))


def _settings(comparison: ComparisonResults, label: str) -> dict[str, str]:
    """Returns a configuration's settings; of AdaLoRA methods with p and p_reintroduce resolved."""
    run = comparison.configurations[label][0]
    settings = {name: text for name, text in run.settings.items() if text}
    method = run.method
    if method == "adalora":
        method, settings = "adalora_rs", {**settings, "p": "0", "p_reintroduce": "0"}
    if method == "adalora_rs":
        p = _plain(settings.get("p", "0"))
        settings |= {"p": p, "p_reintroduce": _plain(settings.get("p_reintroduce", p))}
        if settings["p"] == settings["p_reintroduce"] == "0":
            settings["final_mask"] = ""  # Without random masks both values are the same.
    return {"method": method, **settings}


def _about_setting(a: str, b: str, settings: dict[str, dict[str, str]]) -> Question | None:
    left, right = settings[a], settings[b]
    differ = {n for n in left.keys() | right.keys() if left.get(n, "") != right.get(n, "")}
    if "" in (left.get("final_mask"), right.get("final_mask")):
        differ.discard("final_mask")
    if not differ or "method" in differ:
        return None
    if differ <= {"p", "p_reintroduce"}:
        if "p" in differ and left["p"] == "0":
            a, b, left, right = b, a, right, left
        both = (right["p"], right["p_reintroduce"]) == ("0", "0")
        if both and left["p"] == "0" and left["p_reintroduce"] != "0":
            text = f"re-introduction only (p_reintroduce = {left['p_reintroduce']}) against p = 0"
            return Question(a, b, "setting", text)
        if both:
            return Question(a, b, "p", f"{_rates(left)} against p = 0")
        if not (left["p"] == "0" and right["p"] == "0"):
            return Question(a, b, "setting", f"{_rates(left)} against {_rates(right)}")
    if len(differ) > 1:
        return None
    (name,) = differ
    if name == "rank_pattern":
        return Question(a, b, "setting", f"{a} against {b}")
    text = f"{name} = {left.get(name) or 'none'} against {right.get(name) or 'none'}"
    return Question(a, b, "setting", text)


def _rates(settings: dict[str, str]) -> str:
    p, back = _three_digits(settings["p"]), _three_digits(settings["p_reintroduce"])
    others = [f"p_reintroduce = {back}"] if p != back else []
    if settings.get("final_mask") == "deterministic":
        others.append("final_mask = deterministic")
    return f"p = {p}" + (f" ({', '.join(others)})" if others else "")


def _three_digits(number: str) -> str:
    return f"{float(number):.3g}"


def _plain(text: str) -> str:
    """Returns a number in its shortest form, so that 0.10 equals 0.1 and 0.0 equals 0."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text
