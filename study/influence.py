"""How far a score may be off because the rows of a split are a sample.

    symbol     meaning                                                             shape
    psi        influence of each row on a score: how much the score changes if      (rows,)
               rows like it become more frequent; its mean is 0
    n          runs that are averaged
    tau        sd over splits of a mean of scores, or of a mean difference

By the delta method, the score of a run on another split of the same size differs by about a normal
number with variance mean(psi^2) / rows. Runs are scored on the same rows, so their errors agree:
the error of a mean of runs is that of the mean of their influences. A difference has the influence
of one minus that of the other, which is small where both are right and wrong on the same rows.

The mean influence of n runs still contains what the rows and the seeds do together, which belongs
to the variation between seeds and falls with n. It is removed: with the variance of psi over rows
of the mean, and that within rows between runs, tau^2 = (mean(psi_mean^2) - within / n) / rows.

Where every run has test rows of its own, drawn from one table, psi is extended to the units of
the table: 0 outside of the test set, and times units / rows in it. The same formula, a mean of
products of psi of two different runs, then has only the rows that both have, whose error more
draws do not reduce. The error of the other rows is in the variation between runs.

Closed forms: R_K and MCC, F1, accuracy by their confusion matrix; AUC by DeLong, DeLong and
Clarke-Pearson 1988; loss and Brier score are means. Average precision and ECE have none here.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri, stdtrit
from scipy.stats import rankdata

Rows = Float[np.ndarray, " rows"]
Probabilities = Float[np.ndarray, "rows classes"]
Labels = Int[np.ndarray, " rows"]


def influence(metric: str, probabilities: Probabilities, labels: Labels) -> Rows | None:
    """Returns the influence of each row on a score, in metric units.

    None for a metric without a closed form, or where the score does not exist: AUC without rows of
    some class, MCC if labels or predictions are all of one class.

    Args:
        metric: of `study.spec.metrics.METRICS`, without the name of a split.
        probabilities: of the classes.
        labels: true classes.
    """
    classes = probabilities.shape[1]
    true = np.eye(classes)[labels]
    if metric == "auc":
        return _auc(probabilities, labels)
    if metric in ("loss", "brier"):
        return _centred(_errors(metric, probabilities, labels, true))
    guessed = np.eye(classes)[probabilities.argmax(axis=1)]
    if metric == "accuracy":
        return _centred((true * guessed).sum(axis=1))
    if metric == "mcc":
        return _mcc(true, guessed)
    if metric in ("f1", "f1_macro", "f1_weighted"):
        return _f1(metric, true, guessed)
    return None


def error_of_mean(influences: Float[np.ndarray, "n rows"]) -> float:
    """Returns tau of the mean score of n runs on the same rows."""
    count, rows = influences.shape
    mean = influences.mean(axis=0)
    between = float((mean**2).mean())
    within = float(influences.var(axis=0, ddof=1).mean()) / count if count > 1 else 0.0
    return math.sqrt(max(0.0, between - within) / rows)


def error_of_difference(a: Float[np.ndarray, "n rows"], b: Float[np.ndarray, "n rows"]) -> float:
    """Returns tau of the mean difference of n pairs of runs on the same rows."""
    return error_of_mean(a - b)


def error_of_overlap(scores: Float[np.ndarray, " n"], share: float) -> float:
    """Returns tau of the mean of n scores on test sets drawn again from one table.

    Any two of the test sets have about `share` of their rows in common, so that the mean keeps
    that share of the error of one test set. This error is at most the variance between the scores
    / (1 - share), as that between them lacks the common part: tau^2 = variance share / (1 - share)
    is an upper bound whatever the rows have in common (as the correction of Nadeau and Bengio
    2003, equation 9, with test and training rows as parts of one table). It is wider by the ratio
    of Student's quantile to the normal one, as the variance is estimated from few scores.

    Args:
        scores: of runs, or differences of pairs.
        share: of the table that a test set has.
    """
    wider = float(stdtrit(len(scores) - 1, 0.975) / ndtri(0.975))
    return wider * math.sqrt(float(scores.var(ddof=1)) * share / (1 - share))


def _centred(values: Rows) -> Rows:
    centred: Rows = values - values.mean()
    return centred


def _errors(
    metric: str, probabilities: Probabilities, labels: Labels, true: Probabilities
) -> Rows:
    if metric == "brier":
        squares: Rows = ((probabilities - true) ** 2).sum(axis=1) / 2
        return squares
    own = probabilities[np.arange(len(labels)), labels]
    logs: Rows = -np.log(np.maximum(own, np.finfo(np.float32).tiny))
    return logs


def _mcc(true: Probabilities, guessed: Probabilities) -> Rows | None:
    """R_K = (c - t'g) / sqrt((1 - t't)(1 - g'g)), of shares: c right, t true, g guessed."""
    right = (true * guessed).sum(axis=1)
    c, t, g = right.mean(), true.mean(axis=0), guessed.mean(axis=0)
    spread_t, spread_g = 1 - t @ t, 1 - g @ g
    if spread_t <= 0 or spread_g <= 0:
        return None
    of_true, of_guessed = true - t, guessed - g
    change = (right - c) - of_true @ g - of_guessed @ t
    score = (c - t @ g) / math.sqrt(spread_t * spread_g)
    relative = (of_true @ t) / spread_t + (of_guessed @ g) / spread_g
    psi: Rows = change / math.sqrt(spread_t * spread_g) + score * relative
    return psi


def _f1(metric: str, true: Probabilities, guessed: Probabilities) -> Rows:
    """F1_k = 2 r_k / (t_k + g_k), of shares; classes that never occur are left out."""
    both = true * guessed
    r, t, g = both.mean(axis=0), true.mean(axis=0), guessed.mean(axis=0)
    total = np.where(t + g > 0, t + g, 1.0)
    f1 = 2 * r / total
    changes = (2 * (both - r) - f1 * ((true - t) + (guessed - g))) / total
    psi: Rows
    if metric == "f1_weighted":
        psi = changes @ t + (true - t) @ f1
    elif metric == "f1" and true.shape[1] == 2:
        psi = changes[:, 1]
    else:
        psi = changes[:, t + g > 0].mean(axis=1)
    return psi


def _auc(probabilities: Probabilities, labels: Labels) -> Rows | None:
    """The mean over classes, each against the rest; class 1 alone of two."""
    classes = probabilities.shape[1]
    if len(np.unique(labels)) < classes:
        return None
    scored = [1] if classes == 2 else range(classes)
    psi: Rows = np.mean([_one_auc(probabilities[:, k], labels == k) for k in scored], axis=0)
    return psi


def _one_auc(scores: Rows, positive: np.ndarray) -> Rows:
    """DeLong's structural components: how many of the other class each row is ranked above."""
    ranks = rankdata(scores)
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    above = np.empty(len(scores))
    above[positive] = (ranks[positive] - rankdata(scores[positive])) / n_neg
    above[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n_pos
    auc = above[positive].mean()
    share = np.where(positive, n_pos, n_neg) / len(scores)
    psi: Rows = (above - auc) / share
    return psi
