"""Losses as models see them: by rank, so that no unit, outlier or skewed tail matters.

Values of two tasks cannot be compared, and neither can an error of 0.01 with one of 0.5 on one
scale. A model therefore sees normal scores: the rank of a trial among those of its task, placed
where a normal variable of that rank would be.

Source: van der Waerden scores, as in Salinas et al. 2020, "A quantile-based approach for
hyperparameter transfer learning", section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from search.history import Trial
from search.objectives import Objective, pareto

Floats = NDArray[np.float64]


def normal_scores(losses: Floats) -> Floats:
    """Each column's ranks as normal scores, shape `(n, objectives)`; small is good, ties share."""
    if not len(losses):
        return np.empty_like(losses)
    scores: Floats = ndtri((rankdata(losses, axis=0) - 0.5) / len(losses))
    return scores


def warped_scores(losses: Floats) -> Floats:
    """Half normal scores, half values whose bad side is squashed, `(n, objectives)`.

    Ranks alone make much of small differences once a search has narrowed down: on Hartmann's six-
    dimensional function the best of 60 trials was -2.52 with ranks and -3.08 with this (optimum
    -3.32, 12 seeds), on HPOBench both did alike. Past tasks keep ranks, which no scale can spoil.

    The bad side is squashed as in Song et al. 2024, "The Vizier Gaussian process bandit algorithm",
    section 3.2: how bad a bad trial was matters little.
    """
    if len(losses) < 2:
        return normal_scores(losses)
    middle = np.median(losses, axis=0)
    good = np.where(losses <= middle, losses - middle, np.nan)
    depth = np.sqrt(np.nanmean(good**2, axis=0))
    # Where half of all are best, the others are measured by how bad they are themselves.
    depth = np.where(depth > 0, depth, np.abs(losses - middle).mean(axis=0))
    away = (losses - middle) / np.where(depth > 0, depth, 1.0)
    away = np.where(away > 0, np.log1p(np.maximum(away, 0.0)), away)
    spread = away.std(axis=0)
    scaled = (away - away.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(0.5 * normal_scores(losses) + 0.5 * scaled)


def score_of(loss: float, losses: Floats, scores: Floats) -> float:
    """Where a loss would stand among scored ones; `losses` and `scores` are `(n,)`, n >= 1.

    Beyond them on the line through both ends: how far it is says how likely it is to be reached.
    """
    low, high = int(losses.argmin()), int(losses.argmax())
    width = losses[high] - losses[low]
    slope = (scores[high] - scores[low]) / width if width > 0 else 1.0
    if loss < losses[low]:
        return float(scores[low] + slope * (loss - losses[low]))
    if loss > losses[high]:
        return float(scores[high] + slope * (loss - losses[high]))
    order = np.argsort(losses, kind="stable")
    return float(np.interp(loss, losses[order], scores[order]))


def ceilings_of(losses: Floats, scores: Floats, first: int) -> Floats:
    """Where 0 would stand in the constraints, the columns from `first` on; `(constraints,)`."""
    columns = zip(losses.T[first:], scores.T[first:], strict=True)
    return np.array([score_of(0.0, column, scored) for column, scored in columns])


def losses_of(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Floats:
    """Losses of trials of one task, those that violate constraints last; see below."""
    return complete_losses(
        [trial.values for trial in trials], [trial.violation for trial in trials], objectives
    )


def complete_losses(
    values: Sequence[tuple[float, ...]],
    violations: Sequence[float],
    objectives: Sequence[Objective],
) -> Floats:
    """Losses of trials with an end, worst for those that have no values, `(n, objectives)`.

    A trial that was stopped early has no values: at its last epoch others were better, so it
    counts like the worst complete trial. A partial value would be no substitute, since it measures
    another epoch. A trial that violates its constraints counts as worse than all others, the more
    it violates the worse, whatever its values.

    Args:
        values: Empty for a trial that was stopped.
        violations: Sum of a trial's positive constraint values; 0 if it keeps them all.
        objectives: What the values are of.
    """
    known = [each for each in values if each]
    worst = np.zeros(len(objectives))
    if known:
        measured = pareto.losses(known, objectives)
        worst, spread = measured.max(axis=0), np.ptp(measured, axis=0) + 1.0
    else:
        spread = np.ones(len(objectives))
    if len(known) == len(values) and not any(violation > 0 for violation in violations):
        return pareto.losses(known, objectives)
    rows = [pareto.losses([each], objectives)[0] if each else worst for each in values]
    return np.array(
        [
            row if violation <= 0 else worst + spread * (1.0 + violation)
            for row, violation in zip(rows, violations, strict=True)
        ]
    ).reshape(len(values), len(objectives))
