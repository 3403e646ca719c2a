"""The answers in plain sentences, with numbers and intervals, and honest where nothing is settled.

Every function answers one question about one task; page.py shows the same sentences.
"""

from collections.abc import Sequence
from dataclasses import replace

from study.analysis.comparison.agreement.disagreement import EVERYTHING
from study.analysis.comparison.analysis import Analysis, TaskAnalysis
from study.analysis.comparison.reading import Key
from study.analysis.comparison.scale import direction
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.scores.questions import Kind
from study.analysis.comparison.scores.summary import Summary
from study.analysis.comparison.sentences.luck import luck, share_plans
from study.analysis.comparison.sentences.numbers import (
    Answer,
    count,
    interval,
    listed,
    needed,
    percent,
    some,
)
from study.analysis.comparison.sentences.pairs import alarm, nothing, other, verdict, versus
from study.analysis.comparison.sentences.runs import what_was_run
from study.analysis.text import shown

MOST = 10
"""How many sentences an answer has at most."""


def plain_words(analysis: Analysis) -> list[str]:
    """Returns all answers, one sentence or heading an entry, task by task."""
    from study.analysis.comparison.sentences.tasks import over_tasks

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
        why = "no score yet" if leader.pending else f"no score: {leader.failed} runs failed"
        return [f"{leader.label} has {why}."]
    found = [_spread(leader, task)]
    if not task.fixed_before:
        found.append(
            "These scores chose it, so that its mean flatters it; only fresh seeds or test "
            "tell how good it is."
        )
    own = [pair for pair in task.pairs if pair.has(task.leader)]
    pairs = [pair for pair in own if pair.differences]
    found += [
        f"Not compared with {other(pair, task.leader)}: {nothing(pair)}."
        for pair in own
        if not pair.differences
    ]
    if not pairs:
        return found
    found += [*_best_at(task, pairs), *_settled(task.leader, pairs, len(pairs) < len(own))]
    return found


def _settled(leader: str, pairs: Sequence[Pair], gaps: bool) -> list[str]:
    """Says which others the leader beats, two-sided, and which not."""
    for_it = [pair for pair in pairs if pair.survivor == leader]
    against = [pair for pair in pairs if pair.survivor not in (leader, None)]
    undecided = [versus(pair, leader) for pair in pairs if pair.survivor is None]
    found = []
    if against:
        named = [versus(pair, leader) for pair in against]
        found.append(f"No: better than it is {some(named)}.{alarm(against)}")
    elif undecided:
        found.append(f"Undecided: other seeds may reverse the order with {some(undecided)}.")
    elif gaps:
        found.append("Undecided, as it is not compared with all others.")
    else:
        found.append(
            f"Yes: no other configuration keeps up with it on equal seeds.{alarm(for_it)}"
        )
    if for_it and (against or undecided or gaps):
        named = [versus(pair, leader) for pair in for_it]
        found.append(f"It is better than {some(named)}.{alarm(for_it)}")
    return found


def about(task: TaskAnalysis, kind: Kind) -> list[str]:
    """Answers each question of a kind with difference, interval and corrected p-value."""
    pairs = [pair for pair in task.pairs if pair.question.kind == kind]
    found = [verdict(pair) for pair in pairs]
    if kind == "p" and pairs:
        found.insert(
            1,
            '"Better" is decided by a one-sided sign-flip test at 5 %, in which mask, init and '
            "data seeds are crossed random factors; where three init or data seeds do much of "
            "their own to a difference, up to 9 % are false alarms.",
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
    pending = sum(summary.pending for summary in task.summaries)
    if not pending:
        found += share_plans(task)
    if found:
        found.append("These numbers rest on estimated components, and are as uncertain as they.")
    if pending:
        found.append(f"{count(pending, 'run')} of the plan are still to end: these come first.")
    return found


def _spread(leader: Summary, task: TaskAnalysis) -> str:
    ended = leader.n + leader.failed
    failed = f", {leader.failed} of {ended} failed" if leader.failed else ""
    sd = "" if leader.sd is None else f", sd {shown(leader.sd)}"
    sign = direction(task.metric)
    best = sign * max(sign * score for score in leader.scores)
    run = leader.worst_run
    which = f" ({run.name})" if run is not None else ""
    fate = " as it failed" if run is not None and task.metric not in run.values else ""
    return (
        f"{leader.label}: mean {task.metric} {interval(leader.mean)} over "
        f"{count(leader.n, 'finished run')}{failed}{sd}; the best seed gives {shown(best)}, the "
        f"worst{which} {shown(leader.worst)}{fate}."
    )


def _best_at(task: TaskAnalysis, pairs: Sequence[Pair]) -> list[str]:
    """Says at how many seeds that all pairs have the leader is best; a failed run is a loss."""
    sign = direction(task.metric)
    ahead: dict[Key, list[bool]] = {}
    for pair in pairs:
        own = sign if pair.question.a == task.leader else -sign
        for key, difference in pair.with_failures.items():
            ahead.setdefault(key, []).append(own * difference > 0)
    common = {key: those for key, those in ahead.items() if len(those) == len(pairs)}
    if not common or len(pairs) < 2:
        return []
    best, several = sum(map(all, common.values())), len(pairs) + 1
    plain = list(dict.fromkeys(pair.plain for pair in pairs if pair.plain))
    cells = count(len({key[1:] for key in common}), "run")
    repeated = f" ({listed(plain)}: {cells}, counted for every mask)" if plain else ""
    return [
        f"It is the best of the {several} configurations at {best} of {len(common)} equal "
        f"seeds{repeated}; by chance alone at one in {several}."
    ]
