"""Rank correlation of pairs of objectives over earlier complete trials.

It is computed within each search, since values of two tasks cannot be ranked together. A search
that explored one corner of the space shows the correlation in that corner only.

Source: Spearman's rank correlation, as `scipy.stats.spearmanr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from search.experience import ObjectiveCorrelation
from search.extract.objective_matrix import FEWEST_TRIALS, ObjectiveMatrix
from search.objectives import Objective


def objective_correlations(
    measured: Mapping[str, ObjectiveMatrix], objectives: Sequence[Objective]
) -> tuple[ObjectiveCorrelation, ...]:
    """Returns the correlation of every pair of objectives, the strongest conflict first.

    Args:
        measured: Search -> its trials. Searches with fewer than `FEWEST_TRIALS` trials, or with
            a constant objective, are skipped.
        objectives: In the order of the columns.

    Returns:
        The mean over searches, weighted by their trials; no entry for a pair without any search.
    """
    found: list[ObjectiveCorrelation] = []
    for first, second in combinations(range(len(objectives)), 2):
        correlations: list[float] = []
        trials: list[int] = []
        searches: list[str] = []
        for search, part in measured.items():
            columns = part.losses[:, [first, second]]
            if len(part) < FEWEST_TRIALS or (np.ptp(columns, axis=0) == 0).any():
                continue
            correlations.append(float(spearmanr(columns[:, 0], columns[:, 1]).statistic))
            trials.append(len(part))
            searches.append(search)
        if searches:
            mean = float(np.average(correlations, weights=trials))
            pair = (objectives[first].metric, objectives[second].metric)
            found.append(ObjectiveCorrelation(*pair, mean, sum(trials), tuple(searches)))
    return tuple(sorted(found, key=lambda entry: entry.correlation))
