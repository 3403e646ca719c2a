"""Slow reference implementation of AdaLoRA+RS in plain Python, one loop per sum of the formulas.

It uses neither adapters nor torch. A matrix is a dict of lists: P[j][i], lam[i], Q[i][j].
"""

from math import floor

WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15


def mix(state):
    """Returns the output function of splitmix64."""
    state %= WORD
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % WORD
    return state ^ (state >> 31)


def uniform(seed, event, triplet):
    """Returns the uniform in [0, 1) of a triplet at an event."""
    key = mix(mix(seed + GOLDEN) + (event + 1) * GOLDEN)
    return (mix(key + (triplet + 1) * GOLDEN) >> 11) / 2**53


def penalty_gradient(rows):
    """Returns the gradient of the Frobenius norm of W Wᵀ - I for a list of rows."""
    width, count = len(rows[0]), len(rows)
    gap = [[sum(a * b for a, b in zip(r, q, strict=True)) for q in rows] for r in rows]
    for i in range(count):
        gap[i][i] -= 1
    norm = sum(value**2 for row in gap for value in row) ** 0.5
    if norm == 0:
        return [[0.0] * width for _ in rows]
    return [
        [2 * sum(gap[i][k] * rows[k][j] for k in range(count)) / norm for j in range(width)]
        for i in range(count)
    ]


def transposed(rows):
    """Returns the columns of a list of rows."""
    return [list(column) for column in zip(*rows, strict=True)]


def without_penalty(gradients, before, factor):
    """Returns the gradients of a step less `factor` times the penalty's at the weights before it.

    `factor` is gamma times what clipping left of the gradient.
    """
    scale = factor / (2 * len(before))
    task = []
    for gradient, weights in zip(gradients, before, strict=True):
        penalty = {
            "P": transposed(penalty_gradient(transposed(weights["P"]))),
            "Q": penalty_gradient(weights["Q"]),
        }
        own = dict(gradient)
        for key, rows in penalty.items():
            own[key] = [
                [g - scale * r for g, r in zip(row, other, strict=True)]
                for row, other in zip(gradient[key], rows, strict=True)
            ]
        task.append(own)
    return task


class Average:
    """The two EMAs of one entry."""

    def __init__(self):
        self.sensitivity = 0.0
        self.uncertainty = 0.0

    def observe(self, weight, gradient, beta1, beta2):
        """Updates the EMAs with the entry and its gradient at one step."""
        current = abs(weight * gradient)
        previous = self.sensitivity
        self.sensitivity = beta1 * previous + (1 - beta1) * current
        self.uncertainty = beta2 * self.uncertainty + (1 - beta2) * abs(current - previous)

    def score(self):
        """Returns s(w)."""
        return self.sensitivity * self.uncertainty


class Reference:
    """The allocation of a run over `matrices` of shapes (out, in) and rank b0.

    `ranks` in the settings gives every matrix a rank of its own. With `unit` parameters, bT is a
    number of parameters.
    """

    def __init__(self, matrices, settings):
        self.settings = settings
        self.ranks = list(settings.get("ranks") or [settings["b0"]] * len(matrices))
        self.averages = [
            {
                "P": [[Average() for _ in range(rank)] for _ in range(out)],
                "lam": [Average() for _ in range(rank)],
                "Q": [[Average() for _ in range(width)] for _ in range(rank)],
            }
            for (out, width), rank in zip(matrices, self.ranks, strict=True)
        ]
        self.n = sum(self.ranks)
        self.places = [(k, i) for k, rank in enumerate(self.ranks) for i in range(rank)]
        self.in_parameters = settings.get("unit") == "parameters"
        self.costs = [sum(matrices[k]) + 1 if self.in_parameters else 1 for k, _ in self.places]
        self.keep = [True] * self.n
        self.stored = [0.0] * self.n
        self.t = 0
        self.event = 0
        self.last_scores = None

    def schedule(self):
        """Returns T and b(t)."""
        s = self.settings
        T = round((1 - s["final_fraction"]) * s["total_steps"])
        warmup, start = s["warmup_steps"], sum(self.costs)
        if self.t <= warmup:
            return T, start
        left = (T - self.t) / (T - warmup)
        # 1e-9 keeps rounding errors of this float from changing the floor.
        exact = self.end() + (start - self.end()) * left**3
        return T, floor(exact + 1e-9)

    def end(self):
        """Returns the budget at T."""
        return self.settings["bT"] * (1 if self.in_parameters else len(self.ranks))

    def step(self, weights, gradients):
        """Updates the scores after an optimizer step, and prunes the lam lists of `weights`."""
        self.t += 1
        s = self.settings
        T, budget = self.schedule()
        mask_mode = s["prune_mode"] == "mask"
        if mask_mode and self.event:
            self.restore(weights)
        if self.t < T:
            self.observe(weights, gradients)
        if self.t == T or (self.t % s["deltaT"] == 0 and s["warmup_steps"] < self.t < T):
            self.mask(budget, stochastic=self.t < T or s["final_mask"] == "stochastic")
            self.stored = [value for matrix in weights for value in matrix["lam"]]
        if not mask_mode and (self.t >= T or self.just_masked):
            self.zero(weights)
        self.just_masked = False

    just_masked = False

    def observe(self, weights, gradients):
        """Updates the EMAs of every entry of every P, lam and Q."""
        b1, b2 = self.settings["beta1"], self.settings["beta2"]
        for k, averages in enumerate(self.averages):
            for key in ("P", "Q"):
                for a, row in enumerate(averages[key]):
                    for b, average in enumerate(row):
                        w, g = weights[k][key][a][b], gradients[k][key][a][b]
                        average.observe(w, g, b1, b2)
            for i, average in enumerate(averages["lam"]):
                average.observe(weights[k]["lam"][i], gradients[k]["lam"][i], b1, b2)

    def scores(self):
        """Returns S_i of every triplet, matrix by matrix."""
        result = []
        for averages, rank in zip(self.averages, self.ranks, strict=True):
            for i in range(rank):
                left = [row[i].score() for row in averages["P"]]
                right = [average.score() for average in averages["Q"][i]]
                vectors = sum(left) / len(left) + sum(right) / len(right)
                result.append(averages["lam"][i].score() + vectors)
        return result

    def mask(self, budget, stochastic):
        """Chooses the kept triplets by equation 1."""
        s = self.settings
        self.last_scores = self.scores()
        self.last_budget = budget
        top = self.chosen(self.last_scores, budget)
        self.top = [i in top for i in range(self.n)]
        for i in range(self.n):
            u = uniform(s["mask_seed"], self.event, i) if stochastic else 1.0
            self.keep[i] = u >= s["p"] if i in top else u < s["p_reintroduce"]
        self.event += 1
        self.just_masked = True

    def chosen(self, scores, budget):
        """Returns the triplets with the largest score / cost, while the next is affordable."""
        ranking = sorted(range(self.n), key=lambda i: (-scores[i] / self.costs[i], i))
        chosen, spent = set(), 0
        for i in ranking:
            spent += self.costs[i]
            if spent > budget:
                break
            chosen.add(i)
        return chosen

    def zero(self, weights):
        """Sets pruned values to 0."""
        for i, keep in enumerate(self.keep):
            if not keep:
                self.set(weights, i, 0.0)

    def restore(self, weights):
        """Undoes the optimizer's change of masked values."""
        for i, keep in enumerate(self.keep):
            if not keep:
                self.set(weights, i, self.stored[i])

    def set(self, weights, i, value):
        """Sets the singular value of a triplet."""
        k, row = self.places[i]
        weights[k]["lam"][row] = value
