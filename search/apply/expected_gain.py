"""Expected gain: what a proposal is forecast to bring, in the unit that people read.

A model works on scores (`scores.py`). Here its prediction of one candidate is turned back:
the values it expects, and how much it expects to improve on the best so far. With one objective
that is in the objective's unit, with two a share of the present hypervolume, as their units differ.
With more there is no gain: the acquisition then is a random scalarisation, which has no unit.
Not for ranking candidates (`acquisition.py`).

Source: Jones et al. 1998, "Efficient global optimization of expensive black-box functions",
equation 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from models.scores.metric_names import MetricName
from search.apply.acquisition import (
    REFERENCE_MARGIN,
    Floats,
    Predicted,
    expected_hypervolume_improvement,
    log_expected_improvement,
)
from search.apply.proposal_source import names_of
from search.objectives import Objective, pareto

# A normal variable lies within so many standard deviations in 19 of 20 cases.
WITHIN = 1.96


def forecast(
    predicted: Predicted,
    row: int,
    losses: Floats,
    scores: Floats,
    objectives: Sequence[Objective],
) -> dict[str, Any]:
    """Returns what a candidate is expected to bring, JSON-able.

    Args:
        predicted: Predictions at all candidates and at the trials.
        row: The candidate.
        losses: Losses of the results, `(n, k)`: the objectives, then the constraints.
        scores: Their scores, as the models see them.
        objectives: The objectives.

    Returns:
        "value": metric -> expected value with its 95 % interval; "gain", the expected improvement
        by this candidate; "probability", that it improves at all. The last two are missing while no
        trial is feasible.
    """
    count = len(objectives)
    means, spreads = predicted.means[row, :count], np.sqrt(predicted.variances[row, :count])
    values: dict[str, list[float]] = {}
    for column, (name, objective) in enumerate(zip(names_of(objectives), objectives, strict=True)):
        known = losses[:, column]
        found = expected_losses(means[column], spreads[column], known, scores[:, column])
        values[name] = values_of(within_range(found, known, objective), objective)
    made: dict[str, Any] = {"value": values}
    if predicted.is_feasible.any() and count <= 2:
        gain, probability = _improvement(predicted, row, count)
        unit = _unit(losses[:, 0], scores[:, 0]) if count == 1 else 1.0
        made |= {"gain": rounded(gain * unit), "probability": rounded(probability)}
    return made


def rounded(number: float) -> float:
    """Returns a number with six digits: the last ones differ with the order of a computation.

    Zero has no sign.
    """
    return float(f"{number:.6g}") + 0.0


def _improvement(predicted: Predicted, row: int, count: int) -> tuple[float, float]:
    """Returns a candidate's expected improvement in scores, and the probability of any."""
    slack = predicted.ceilings - predicted.means[row, count:]
    feasible = float(ndtr(slack / np.sqrt(predicted.variances[row, count:])).prod())
    if count == 1:
        mean, variance, best = predicted.improvement([row])
        probability = float(ndtr((best - mean) / np.sqrt(variance))[0])
        gain = np.exp(log_expected_improvement(mean, variance, best))
        return float(gain[0]) * feasible, probability * feasible
    means, variances = predicted.means[[row], :count], predicted.variances[[row], :count]
    known = predicted.known[predicted.is_feasible, :count]
    ahead = ndtr((known.min(axis=0) - means[0]) / np.sqrt(variances[0]))
    # That it is better than the best in one of them.
    probability = float(1.0 - (1.0 - ahead).prod()) * feasible
    reference = predicted.known[:, :count].max(axis=0) + REFERENCE_MARGIN
    volume = max(pareto.hypervolume(known, reference), 1e-12)
    gain = expected_hypervolume_improvement(means, variances, known, reference)
    return float(gain[0]) * feasible / volume, probability


def _unit(losses: Floats, scores: Floats) -> float:
    """Returns the loss that a score is worth near the best: the secant of the better half."""
    order = np.argsort(losses, kind="stable")
    best, middle = order[0], order[len(order) // 2]
    width = scores[middle] - scores[best]
    return float((losses[middle] - losses[best]) / width) if width > 0 else 0.0


def within_range(expected: Floats, losses: Floats, objective: Objective) -> Floats:
    """Returns expected losses that no share of examples exceeds: an accuracy is at most 1."""
    low, high = (-1.0, 0.0) if objective.is_maximized else (0.0, 1.0)
    is_share = bool(objective.metric) and MetricName.parse(objective.metric).is_share
    if not is_share or losses.min() < low or losses.max() > high:
        return expected
    return np.clip(expected, low, high)


def expected_losses(mean: float, spread: float, losses: Floats, scores: Floats) -> Floats:
    """Returns the loss of a predicted score, and the ends of its 95 % interval: best, worst.

    Beyond the best score of a trial it lies along the secant of the better half.
    """
    at = mean + np.array([0.0, -WITHIN, WITHIN]) * spread
    order = np.argsort(losses, kind="stable")
    found = np.interp(at, scores[order], losses[order])
    beyond = np.minimum(at - scores[order[0]], 0.0)
    return np.asarray(found + beyond * _unit(losses, scores))


def values_of(losses: Floats, objective: Objective) -> list[float]:
    """Returns the value and its lower and upper end for a loss and its best and worst ends."""
    mean, first, second = ((-1.0 if objective.is_maximized else 1.0) * losses).tolist()
    return [rounded(mean), rounded(min(first, second)), rounded(max(first, second))]
