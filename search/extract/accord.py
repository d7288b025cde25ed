"""Do earlier tasks agree about which hyperparameters matter?

A mean over tasks that disagree says little about the next one. Compared by ranks, since shares of
one task with a dominant hyperparameter are small for all the others. Not for agreement about which
*values* are good, that is `agreement.py`.

Source: the mean rank correlation r over all pairs is Kendall's coefficient of concordance W in
another form, r = (m W - 1) / (m - 1) for m rankings (Kendall and Babington Smith 1939).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from search.experience import Accord

# Of two hyperparameters the order is a coin's, right half the time.
FEWEST_HYPERPARAMETERS = 3


def accord(
    shares: Mapping[str, Mapping[str, float]], tasks: Mapping[str, str], objective: str
) -> Accord | None:
    """How far tasks agree; None with fewer than two tasks or `FEWEST_HYPERPARAMETERS` in common.

    Args:
        shares: Search -> hyperparameter -> share of the objective's variation; may be empty.
        tasks: Search -> its task. Searches of one task are averaged first.
        objective: Its name.
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
    return Accord(objective, mean, len(by_task), tuple(common), tuple(speaking))
