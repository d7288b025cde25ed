"""Price: what a candidate's improvement is divided by, so that cheap knowledge comes first.

The price of a trial is its predicted cost plus the mean cost of the space. A quotient by cost alone
buys a little improvement a thousand times, where it is cheap, and never gets far; the constant is
what a trial costs in itself, in time of people and of a budget. With it a candidate that costs ten
times the mean needs five times the improvement of an average one, and one that costs nothing is
preferred at most twofold. On recorded searches a late search took a fifth of the seconds that it
took before costs counted, and .10 of a cold search more trials (results/reference/twentieth.md).

Sources: Snoek, Larochelle, Adams 2012, "Practical Bayesian optimization of machine learning
algorithms", section 3.2 (expected improvement per second); Lee et al. 2020, "Cost-aware Bayesian
optimization" (why the quotient alone fails).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from search.apply.expected_gain import WITHIN, rounded
from search.extract.costs import CostModel, Floats
from search.history.forecast import LARGEST_FACTOR
from search.objectives.objective import LARGEST


def log_price(model: CostModel | None, points: Floats, pool: Floats) -> Floats:
    """Return the logarithm of the price of candidates, `(points,)`; 0 without a cost model.

    Args:
        model: Predicts the cost of a trial.
        points: Encoded candidates, `(points, columns)`.
        pool: Encoded random configurations of the space.
    """
    if model is None:
        return np.zeros(len(points))
    everywhere = model.log_cost(pool)
    mean = np.logaddexp.reduce(everywhere) - np.log(len(everywhere))
    return np.asarray(np.logaddexp(model.log_cost(points), mean))


def predicted_cost(model: CostModel, point: Floats) -> dict[str, Any]:
    """Return the predicted cost of a trial, JSON-able; {} if it says nothing to a person.

    So it is if nothing tells this task's level, and of a cost that nothing can have.

    Before a trial of this task has a known cost, the level is that of the past tasks.

    Args:
        model: Predicts the cost.
        point: The encoded configuration, `(columns,)`.

    Returns:
        "cost" and its "unit", "work" (FLOP) or "seconds", and "factor": in 19 of 20 cases the cost
        is within this factor, as far as the trials left out tell.
    """
    log_cost, within, unit = float(model.log_cost(point[None])[0]), WITHIN * model.error, model.unit
    if np.isnan(model.level):
        if model.usual is None:
            return {}
        log_cost, unit = log_cost + model.usual.mean, model.usual.unit
        within = float(np.hypot(within, model.usual.within))
    if within > np.log(LARGEST_FACTOR) or log_cost > np.log(LARGEST):
        return {}
    return {"cost": rounded(np.exp(log_cost)), "unit": unit, "factor": rounded(np.exp(within))}
