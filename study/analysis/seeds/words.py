"""The answers in plain sentences, with numbers and intervals, and honest where nothing is settled.

Every function answers one question about one task; page.py shows the same sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.analysis.seeds.analysis import Analysis, TaskAnalysis
from study.analysis.seeds.disagreement import EVERYTHING
from study.analysis.seeds.luck_words import luck, share_plans
from study.analysis.seeds.paired import Pair
from study.analysis.seeds.questions import Kind
from study.analysis.seeds.reading import Key, lower_is_better
from study.analysis.seeds.run_words import what_was_run
from study.analysis.seeds.summary import Summary
from study.analysis.seeds.wording import (
    count,
    interval,
    listed,
    needed,
    percent,
    some,
    verdict,
    versus,
)
from study.analysis.tables import shown

MOST = 10
"""How many sentences an answer has at most."""


@dataclass(frozen=True)
class Answer:
    """A question and its sentences."""

    question: str
    sentences: list[str]


def plain_words(analysis: Analysis) -> list[str]:
    """Returns all answers, one sentence or heading an entry, task by task."""
    from study.analysis.seeds.task_words import over_tasks

    found: list[str] = []
    for task in analysis.tasks:
        if len(analysis.tasks) > 1:
            found += ["", f"== {task.name} =="]
        for answer in answers(task):
            found += ["", answer.question, *(f"  {sentence}" for sentence in answer.sentences)]
    if len(analysis.tasks) > 1:
        answer = over_tasks(analysis)
        found += ["", answer.question, *(f"  {sentence}" for sentence in answer.sentences)]
    return found[1:]


def answers(task: TaskAnalysis) -> list[Answer]:
    """Returns the answers about one task; a question about which nothing is known is left out."""
    found = [
        Answer("What was run", what_was_run(task)),
        Answer("Does the winner survive another seed?", winner(task)),
        Answer("Is p > 0 better than p = 0 at equal everything else?", about(task, "p")),
        Answer("What do other settings change at equal everything else?", about(task, "setting")),
        Answer("Which source of luck matters?", luck(task)),
        Answer("How stable are the chosen ranks?", ranks(task)),
        Answer("Do the runs answer alike?", disagreement(task)),
        Answer("How many further runs?", further(task)),
    ]
    return [_short(answer) for answer in found if answer.sentences]


def _short(answer: Answer) -> Answer:
    """Leaves sentences on many configurations to the tables."""
    more = len(answer.sentences) - MOST
    if more <= 0:
        return answer
    left = f"{count(more, 'more sentence')} of this kind would follow: see the tables."
    return replace(answer, sentences=[*answer.sentences[:MOST], left])


def winner(task: TaskAnalysis) -> list[str]:
    """Says how the leading configuration fares with other seeds, and against which others."""
    leader = next(s for s in task.summaries if s.label == task.leader)
    if not leader.n:
        return [f"{leader.label} has no score yet."]
    found = [_spread(leader, task)]
    if not task.comparison.fixed_before:
        found.append(
            "These scores chose it, so that its mean flatters it; only fresh seeds or test "
            "tell how good it is."
        )
    pairs = [pair for pair in task.pairs if pair.differences and pair.has(task.leader)]
    if not pairs:
        return found
    for_it = [versus(p, task.leader) for p in pairs if p.winner == task.leader]
    against = [versus(p, task.leader) for p in pairs if p.winner not in (task.leader, None)]
    undecided = [versus(p, task.leader) for p in pairs if p.winner is None]
    best, cells = _best_at(task, pairs)
    if cells and len(pairs) > 1:
        found.append(
            f"It is the best of the {len(pairs) + 1} configurations at {best} of {cells} equal "
            f"seeds; by chance alone at one in {len(pairs) + 1}."
        )
    if against:
        found.append(f"No: better than it is {some(against)}.")
    elif undecided:
        found.append(f"Undecided: another set of seeds may put first {some(undecided)}.")
    else:
        found.append("Yes: no other configuration keeps up with it on equal seeds.")
    if for_it and (against or undecided):
        found.append(f"It is better than {some(for_it)}.")
    return found


def about(task: TaskAnalysis, kind: Kind) -> list[str]:
    """Answers each question of a kind with difference, interval and corrected p-value."""
    pairs = [pair for pair in task.pairs if pair.question.kind == kind]
    found = [verdict(pair) for pair in pairs]
    if kind == "p" and pairs:
        found.insert(
            1,
            '"Better" is decided by a one-sided sign-flip test at 5 %, in which mask, init and '
            "data seeds are crossed random factors.",
        )
    return found


def ranks(task: TaskAnalysis) -> list[str]:
    """Compares the overlap of kept triplets with chance, and names what varies most."""
    found = [
        f"{o.configuration}: runs that differ in the {o.differ_in} seed alone share "
        f"{percent(o.mean)} of the triplets that either keeps ({percent(o.low)} to "
        f"{percent(o.high)} over {count(o.pairs, 'pair')}); chance would make it "
        f"{percent(o.by_chance)}, and equal ranks of every matrix alone {percent(o.by_ranks)}."
        for o in task.overlaps
    ]
    for pattern in task.patterns:
        rows = [row for row in pattern.records() if isinstance(row["sd_over_mask_seeds"], float)]
        if rows:
            worst = max(rows, key=lambda row: float(str(row["sd_over_mask_seeds"])))
            layer = f" of layer {worst['layer']}" if worst["layer"] else ""
            where = f"{worst['matrix']}{layer}"
            found.append(
                f"{pattern.configuration}: the rank of a matrix is most uncertain in {where}, "
                f"{float(str(worst['mean_rank'])):.1f} with an sd of "
                f"{float(str(worst['sd_over_mask_seeds'])):.1f} over mask seeds (of {pattern.b0})."
            )
    return found


def disagreement(task: TaskAnalysis) -> list[str]:
    """Says for how many examples another seed predicts another class."""
    found = []
    for label in dict.fromkeys(d.configuration for d in task.disagreements):
        own = {d.differ_in: d for d in task.disagreements if d.configuration == label}
        parts = [f"{name} {percent(d.mean)}" for name, d in own.items() if name != EVERYTHING]
        whole = own.get(EVERYTHING)
        text = f"{label}: the predicted class changes for "
        if parts:
            text += f"{listed(parts, 'and')} of the examples when only that seed changes"
        if whole is not None:
            text += ", and for " if parts else ""
            text += f"{percent(whole.mean)} when all do"
            if whole.least is not None and whole.independent is not None:
                text += (
                    f"; the scores would allow as little as {percent(whole.least)}, and "
                    f"independent errors would make it {percent(whole.independent)}"
                )
        found.append(text + ".")
    return found


def further(task: TaskAnalysis) -> list[str]:
    """Names what would settle each open question, and the mask's share of the luck."""
    open_questions: dict[str, list[str]] = {}
    for text, plan in task.plans.items():
        open_questions.setdefault(needed(plan), []).append(text)
    found = [f"{some(texts)}: {told}." for told, texts in open_questions.items()]
    found += share_plans(task)
    if found:
        found.append("These numbers rest on estimated components, and are as uncertain as they.")
    return found


def _spread(leader: Summary, task: TaskAnalysis) -> str:
    ended = leader.n + leader.failed
    failed = f", {leader.failed} of {ended} failed" if leader.failed else ""
    sd = "" if leader.sd is None else f", sd {shown(leader.sd)}"
    best = min(leader.scores) if lower_is_better(task.metric) else max(leader.scores)
    run = leader.worst_run
    which = f" ({run.name})" if run is not None else ""
    fate = " as it failed" if run is not None and task.metric not in run.values else ""
    return (
        f"{leader.label}: mean {task.metric} {interval(leader.mean)} over "
        f"{count(leader.n, 'finished run')}{failed}{sd}; the best seed gives {shown(best)}, the "
        f"worst{which} {shown(leader.worst)}{fate}."
    )


def _best_at(task: TaskAnalysis, pairs: Sequence[Pair]) -> tuple[int, int]:
    """At how many seeds that all pairs have the leader is best, and how many there are."""
    sign = -1 if lower_is_better(task.metric) else 1
    ahead: dict[Key, list[bool]] = {}
    for pair in pairs:
        own = sign if pair.question.a == task.leader else -sign
        for key, difference in pair.differences.items():
            ahead.setdefault(key, []).append(own * difference > 0)
    common = [those for those in ahead.values() if len(those) == len(pairs)]
    return sum(map(all, common)), len(common)
