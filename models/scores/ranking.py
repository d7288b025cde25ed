"""Metrics of ranked groups, items of a user or a query in the order of their scores.

NDCG is that of scikit-learn's `ndcg_score`: gain the grade itself, discount log2(rank + 1)
(Järvelin & Kekäläinen 2002). A reciprocal rank and a hit count any grade above 0. Items with equal
scores have no order, so each metric is its mean over all orders of them (McSherry & Najork 2008,
"Computing information retrieval performance measures efficiently in the presence of tied scores").
A group without a relevant item is left out: nothing in it can be ranked right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from models.scores.bootstrap import mean_interval

Floats = npt.NDArray[np.float64]  # (n,)

CUTOFFS = (1, 3, 5, 10, 20)
# The field's usual cutoff; the metric that attacks lower.
ROBUST_CUTOFF = 10

RANKING_METRICS = (
    *(f"ndcg_at_{cutoff}.clean" for cutoff in CUTOFFS),
    *(f"hit_rate_at_{cutoff}.clean" for cutoff in CUTOFFS),
    "mrr.clean",
)


@dataclass(frozen=True)
class RankedGroups:
    """The metrics of every group that has a relevant item; arrays (groups,), values in [0, 1].

    `left_out` counts the other groups.
    """

    values: Mapping[str, Floats]
    left_out: int

    def means(self) -> dict[str, float]:
        """Return the mean of every metric over groups; larger is better."""
        return {name: float(each.mean()) for name, each in self.values.items()}


def rank_groups(grades: Floats, scores: Floats, groups: Sequence[str]) -> RankedGroups:
    """Return the metrics of items ranked by their scores, largest first.

    Args:
        grades: (items,), 0 for not relevant.
        scores: (items,); NaN is the lowest.
        groups: (items,), whose items are ranked together.

    Raises:
        ValueError: no group has a relevant item.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    scores = np.where(np.isnan(scores), -np.inf, scores)
    judged = [rows for rows in members.values() if (grades[rows] > 0).any()]
    if not judged:
        raise ValueError("no group has a relevant item; fix: give groups with grades above 0")
    found = [_metrics(grades[rows], scores[rows]) for rows in judged]
    values = {name: np.array([each[name] for each in found]) for name in RANKING_METRICS}
    return RankedGroups(values, len(members) - len(judged))


def popularity(items: Sequence[str], grades: Floats, of: Sequence[str]) -> Floats:
    """Return the popularity of some items: the sum of an item's grades in training, whoever's.

    The baseline of a ranker: on logs with a skewed popularity it is strong (Ferrari Dacrema et al.
    2019, "Are we really making much progress?", section 3.2).

    Args:
        items: the item of each training example.
        grades: its grade, (examples,).
        of: the items that are asked for; one that training lacks has 0.
    """
    wanted: dict[str, float] = {}
    for item, grade in zip(items, grades.tolist(), strict=True):
        wanted[item] = wanted.get(item, 0.0) + grade
    return np.array([wanted.get(item, 0.0) for item in of])


def ranking_table(ranked: Mapping[str, RankedGroups]) -> str:
    """Return the metrics of several rankings of the same groups, as text, with 95 % intervals.

    Args:
        ranked: what ranked, such as "model", to its metrics.
    """
    first = next(iter(ranked.values()))
    groups = len(first.values["mrr.clean"])
    lines = [
        f"{groups} groups with a relevant item, {first.left_out} without one, which do not count.",
        "Mean over groups, with its 95 % interval (bootstrap of groups).",
        "",
        f"{'':14}" + "".join(f"{who:>30}" for who in ranked),
    ]
    for name in RANKING_METRICS:
        cells = []
        for each in ranked.values():
            low, high = mean_interval(each.values[name])
            cells.append(f"{each.values[name].mean():.4f} ({low:.4f} to {high:.4f})")
        lines.append(f"{name.removesuffix('.clean'):14}" + "".join(f"{cell:>30}" for cell in cells))
    return "\n".join(lines) + "\n"


def _metrics(grades: Floats, scores: Floats) -> dict[str, float]:
    """Return the metrics of one group with a relevant item, each by its name."""
    levels, inverse = np.unique(-scores, return_inverse=True)
    sizes = np.bincount(inverse, minlength=len(levels))
    relevant = np.bincount(inverse, weights=grades > 0, minlength=len(levels)).astype(int)
    gains = np.bincount(inverse, weights=grades, minlength=len(levels))
    # The mean gain of an item with this score is what each of its ranks has, over all orders.
    by_rank = np.repeat(gains / sizes, sizes)
    best = np.sort(grades)[::-1]
    discounts = 1 / np.log2(np.arange(2, len(grades) + 2))
    ideal, gained = np.cumsum(best * discounts), np.cumsum(by_rank * discounts)
    first = _first_relevant(sizes, relevant)
    hits, last = np.cumsum(first), len(grades)
    found = {}
    for cutoff in CUTOFFS:
        at = min(cutoff, last) - 1
        found[f"ndcg_at_{cutoff}.clean"] = float(gained[at] / ideal[at])
        found[f"hit_rate_at_{cutoff}.clean"] = float(hits[at])
    found["mrr.clean"] = float((first / np.arange(1, last + 1)).sum())
    return found


def _first_relevant(sizes: npt.NDArray[np.int64], relevant: npt.NDArray[np.int64]) -> Floats:
    """Return for each rank the probability (items,) that the first relevant item has it.

    It is in the first block of equal scores that has a relevant one. Of all choices of its r
    relevant ranks among n, those whose smallest is i leave r - 1 for the n - i ranks after it.
    """
    block = int(np.flatnonzero(relevant)[0])
    before, n, r = int(sizes[:block].sum()), int(sizes[block]), int(relevant[block])
    chances = np.zeros(int(sizes.sum()))
    for place in range(1, n - r + 2):
        chances[before + place - 1] = comb(n - place, r - 1) / comb(n, r)
    return chances
