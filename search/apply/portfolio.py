"""Portfolio: the first configurations, those that together served the earlier tasks best.

Values of different tasks cannot be compared, ranks can. On each earlier task every objective is
turned into its rank among that task's trials, scaled to [0, 1]; what a configuration would have
reached on a task where it was not tried is predicted from that task's trials. Configurations are
then taken greedily, each the one that raises most the mean over tasks of the hypervolume the
portfolio dominates in ranks. With one objective that is the mean over tasks of the best rank.

It trusts every earlier task equally and does not look at what the present search finds; a guard
against bad transfer is not here.

Sources: Wistuba, Schilling, Schmidt-Thieme 2015, "Sequential model-free hyperparameter tuning";
Winkelmolen et al. 2020, "Practical and sample efficient zero-shot HPO" (greedy, surrogates for what
was not tried); the greedy choice is within 1 - 1/e of the best: Nemhauser et al. 1978.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from search import pareto
from search.apply.source import Proposal, Situation, origin, seed_of
from search.encoding import active, encode, fill
from search.review import Evidence
from search.space import SearchSpace, Value

Floats = NDArray[np.float64]

# Candidates are each task's best. With 60 of them a portfolio took half as long again and was no
# better: lost hypervolume at 20 trials .190 against .193 (s.e. .014; HPOBench-MLP, 8 by 3).
CANDIDATES_PER_TASK = 20
# Neighbours that predict a configuration on a task where it was not tried. 3 to 20 did equally well
# there: regret at 20 trials .084 to .089 (s.e. .016).
NEIGHBOURS = 5


@dataclass(frozen=True)
class Choice:
    """A configuration of the portfolio: whose it was, and how much each task gains by it."""

    configuration: Mapping[str, Value]
    run_id: str
    gains: Mapping[str, float]


class Portfolio:
    """A source: proposes its configurations in order, each once, and then nothing.

    What was handed out already is recognised in the situation's `tried`, so a resumed search
    neither repeats nor skips one.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        space: SearchSpace,
        directions: Sequence[str],
        size: int,
        seed: int,
    ) -> None:
        """Chooses the portfolio from complete trials of other tasks; no trials, no portfolio."""
        self._trials = sum(trial.state == "complete" for trial in evidence)
        self.choices = choose(evidence, space, directions, size, seed)

    def propose(self, situation: Situation) -> Proposal | None:
        """The first configuration that was not tried."""
        for choice in self.choices:
            if not situation.tried.holds(situation.space, choice.configuration):
                return Proposal(choice.configuration, self._origin(choice))
        return None

    def _origin(self, choice: Choice) -> dict[str, Any]:
        return origin(
            "portfolio", runs=[choice.run_id], tasks=choice.gains, prior_trials=self._trials
        )


def choose(
    evidence: Sequence[Evidence],
    space: SearchSpace,
    directions: Sequence[str],
    size: int,
    seed: int,
) -> list[Choice]:
    """The portfolio, best first; shorter than `size` if there are fewer distinct candidates."""
    tasks: dict[str, list[Evidence]] = {}
    for trial in evidence:
        if trial.state == "complete":
            tasks.setdefault(trial.task, []).append(trial)
    ranks = {task: _rank_losses(trials, directions) for task, trials in tasks.items()}
    candidates = _candidates(tasks, ranks, space, seed)
    if not candidates or size < 1:
        return []
    points = encode(space, [configuration for configuration, _ in candidates])
    predicted = np.stack(
        [
            _predict(encode(space, [t.configuration for t in trials]), ranks[task], points)
            for task, trials in tasks.items()
        ]
    )  # (tasks, candidates, objectives)
    return [
        Choice(candidates[index][0], candidates[index][1], dict(zip(tasks, gains, strict=True)))
        for index, gains in _greedy(predicted, size)
    ]


def _rank_losses(trials: Sequence[Evidence], directions: Sequence[str]) -> Floats:
    """Each objective's rank among the task's trials, in (0, 1), 0 the best; ties share a rank."""
    losses = pareto.losses([trial.values for trial in trials], directions)
    scaled: Floats = (rankdata(losses, axis=0) - 0.5) / len(losses)
    return scaled


def _candidates(
    tasks: Mapping[str, Sequence[Evidence]],
    ranks: Mapping[str, Floats],
    space: SearchSpace,
    seed: int,
) -> list[tuple[dict[str, Value], str]]:
    """Each task's best, completed where history lacked a hyperparameter, without duplicates."""
    found: dict[str, tuple[dict[str, Value], str]] = {}
    for task, trials in tasks.items():
        for index in pareto.order(ranks[task])[:CANDIDATES_PER_TASK]:
            trial = trials[index]
            filled = fill(space, trial.configuration, seed_of(seed, "portfolio", trial.run_id))
            configuration = active(space, filled)
            found.setdefault(space.key(configuration), (configuration, trial.run_id))
    return list(found.values())


def _predict(known: Floats, values: Floats, points: Floats) -> Floats:
    """Values at points from their nearest known neighbours, weighted by inverse square distance.

    Args:
        known: Shape `(n, columns)`.
        values: Shape `(n, objectives)`.
        points: Shape `(candidates, columns)`.

    Returns:
        Shape `(candidates, objectives)`. At a known point this is what was measured there.
    """
    squares = ((points[:, None, :] - known[None, :, :]) ** 2).sum(axis=2)
    nearest = np.argsort(squares, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = 1.0 / (np.take_along_axis(squares, nearest, axis=1) + 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    predicted: Floats = np.einsum("cn,cno->co", weights, values[nearest])
    return predicted


def _greedy(predicted: Floats, size: int) -> list[tuple[int, list[float]]]:
    """Indices of candidates, each with the hypervolume that every task gains by it.

    Args:
        predicted: Rank losses, shape `(tasks, candidates, objectives)`.
        size: How many to choose at most.
    """
    reference = np.ones(predicted.shape[2])
    covered = np.zeros(len(predicted))
    chosen: list[tuple[int, list[float]]] = []

    def gains(index: int) -> Floats:
        members = [*(taken for taken, _ in chosen), index]
        volumes = [pareto.hypervolume(rows[members], reference) for rows in predicted]
        return np.maximum(np.array(volumes) - covered, 0.0)

    # A candidate's gain only falls as the portfolio grows, so an old gain is an upper bound, and
    # most candidates need no new one (lazy greedy, Minoux 1978).
    bounds = [float(gains(index).mean()) for index in range(predicted.shape[1])]
    while len(chosen) < min(size, predicted.shape[1]):
        is_fresh: set[int] = set()
        while (best := int(np.argmax(bounds))) not in is_fresh:
            bounds[best] = float(gains(best).mean())
            is_fresh.add(best)
        gained = gains(best)
        covered = covered + gained
        chosen.append((best, gained.tolist()))
        bounds[best] = -1.0
    return chosen
