"""Importance of hyperparameters for each objective, per search, and its consistency across tasks.

Every search is restated in its own space, so a range that changed later does not distort it. If
tasks disagree, their mean says little about the next one. Tasks are compared by ranks, because in a
task with one dominant hyperparameter the shares of all others are small. Good values of a
hyperparameter are in `regions.py`.

Sources: Hutter, Hoos, Leyton-Brown 2014, "An efficient approach for assessing hyperparameter
importance" (fANOVA), as implemented by Optuna. The mean rank correlation r over all pairs is
Kendall's coefficient of concordance W in another form, r = (m W - 1) / (m - 1) for m rankings
(Kendall and Babington Smith 1939).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import create_trial
from scipy.stats import spearmanr

from search.experience import Importance, ImportanceAgreement
from search.extract.objective_matrix import FEWEST_TRIALS, ObjectiveMatrix
from search.history.studies import quiet_study
from search.objectives import Objective
from search.space import SearchSpace
from search.space.limits import problem_of
from search.space.restating import restate

Shares = Mapping[str, float]

# fANOVA instead of PED-ANOVA, Optuna's default: on a noisy six-dimensional quadratic (25 seeds) it
# found the strongest hyperparameter in 96 % of random and 72 % of TPE searches of 20 trials,
# PED-ANOVA at its best quantile in 68 % and 40 %; with 40 trials 100 % and 72 % against 84 and 36.
_TREES = 32
# Over 5 searches of 80 trials, shares differ from those of 256 trees of full depth by .026 (root
# mean square), as with 32 trees of full depth, in half the time, .2 s per search.
_DEPTH = 6


def importances(
    measured: Mapping[str, ObjectiveMatrix],
    shares: Mapping[str, Shares],
    similarities: Mapping[str, float],
    objective: str,
) -> tuple[Importance, ...]:
    """Returns the importance of every hyperparameter for one objective, the largest first.

    Args:
        measured: Search -> its trials, measured in this objective alone.
        shares: Search -> the result of `importance_in`; may be empty.
        similarities: Search -> 0 to 1, its weight in the mean.
        objective: The name of the objective.
    """
    names = dict.fromkeys(name for found in shares.values() for name in found)
    entries = []
    for name in names:
        speaking = [search for search, found in shares.items() if name in found]
        each = [shares[search][name] for search in speaking]
        weights = [max(similarities[search], 1e-6) for search in speaking]
        agreement = 1.0 - (max(each) - min(each)) if len(each) > 1 else None
        trials = sum(len(measured[search]) for search in speaking)
        mean = float(np.average(each, weights=weights))
        entries.append(Importance(name, objective, mean, agreement, tuple(speaking), trials))
    return tuple(sorted(entries, key=lambda entry: (-entry.importance, entry.hyperparameter)))


def importance_in(part: ObjectiveMatrix, space: SearchSpace) -> dict[str, float]:
    """Returns hyperparameter -> share of the first objective's variance; the shares sum to 1.

    An inactive hyperparameter gets the middle of its range, so that all trials can be compared:
    fANOVA then attributes the difference between branches to the parent, and the variance within a
    branch to the child. Empty with fewer than `FEWEST_TRIALS` trials or a constant objective.
    Ranges that floats cannot represent are left out.
    """
    losses = part.losses[:, 0]
    if len(part) < FEWEST_TRIALS or np.ptp(losses) == 0:
        return {}
    configurations = [
        restate(space, trial.configuration, moves_inside=True).configuration
        for trial in part.trials
    ]
    names = {
        name: distribution
        for name, distribution in space.distributions.items()
        if not distribution.single()
        and not problem_of(distribution)
        and any(name in known for known in configurations)
    }
    if not names:
        return {}
    # Here: it needs scikit-learn, half a second that a search without a past need not wait.
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    study = quiet_study([Objective("", "minimize")])
    for known, loss in zip(configurations, losses, strict=True):
        values = {name: known.get(name, _middle(each)) for name, each in names.items()}
        study.add_trial(create_trial(params=values, distributions=names, value=float(loss)))
    evaluator = FanovaImportanceEvaluator(n_trees=_TREES, max_depth=_DEPTH, seed=0)
    try:
        shares = get_param_importances(study, evaluator=evaluator)
    # No tree tells the values apart, as they differ by less than rounding; or the volume of the
    # space overflows, which Optuna asserts not to happen.
    except (RuntimeError, AssertionError):
        return {}
    is_known = all(math.isfinite(share) for share in shares.values())
    return {name: float(share) for name, share in shares.items()} if is_known else {}


def _middle(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    middle = math.sqrt(low * high) if distribution.log else (low + high) / 2
    if step is not None:
        middle = low + round((middle - low) / step) * step
    if isinstance(distribution, IntDistribution):
        return int(middle)
    return min(max(middle, low), high)


# The order of two hyperparameters agrees by chance half the time.
FEWEST_HYPERPARAMETERS = 3


def importance_agreement(
    shares: Mapping[str, Mapping[str, float]], tasks: Mapping[str, str], objective: str
) -> ImportanceAgreement | None:
    """Returns how far tasks agree; None for one task or too few hyperparameters in common.

    Args:
        shares: Search -> hyperparameter -> share of the objective's variance; may be empty.
        tasks: Search -> its task. Searches of one task are averaged first.
        objective: The name of the objective.
    """
    speaking = {search: found for search, found in shares.items() if found}
    common = [
        name
        for name in next(iter(speaking.values()), {})
        if all(name in found for found in speaking.values())
    ]
    by_task: dict[str, list[list[float]]] = {}
    for search, found in speaking.items():
        by_task.setdefault(tasks[search], []).append([found[name] for name in common])
    if len(by_task) < 2 or len(common) < FEWEST_HYPERPARAMETERS:
        return None
    means = [np.mean(rows, axis=0) for rows in by_task.values()]
    correlations = [
        float(spearmanr(first, second).statistic)
        for first, second in combinations(means, 2)
        if np.ptp(first) and np.ptp(second)
    ]
    if not correlations:
        return None
    mean = float(np.mean(correlations))
    return ImportanceAgreement(objective, mean, len(by_task), tuple(common), tuple(speaking))
