"""Compares vectors of objectives: fronts, ranks, hypervolume, and an order of trials.

Everything here works on *losses*: objectives with signs such that smaller is better, shape
``(trials, objectives)``. Not for statistical tests of differences; knows nothing of trials or
searches.

Sources: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm" (ranks); While,
Bradstreet, Barone 2012, "A fast way of calculating exact hypervolumes" (hypervolume from three
objectives on); Salinas et al. 2021, "A multi-objective perspective on jointly tuning hardware and
hyperparameters", and Schmucker et al. 2021 (epsilon-net); Jensen 2003, "Reducing the run-time
complexity of multiobjective EAs" (ranks of two objectives by one sweep).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.objectives.objective import Objective, directions_of

Floats = NDArray[np.float64]


def losses(values: ArrayLike, objectives: Sequence[Objective]) -> Floats:
    """Turns objective values into losses: a maximised objective changes its sign.

    Args:
        values: Shape ``(n, m)``; NaN stays NaN. An empty list gives shape ``(0, m)``.
        objectives: The objectives of the ``m`` columns.

    Raises:
        ValueError: A direction is unknown, or values are not ``(n, m)``.
    """
    signs = [1.0 if each == "minimize" else -1.0 for each in directions_of(objectives)]
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, len(objectives)))
    if array.ndim != 2 or array.shape[1] != len(objectives):
        raise ValueError(f"values of shape {array.shape} do not have {len(objectives)} objectives")
    return np.multiply(array, signs)


def front(losses: ArrayLike) -> NDArray[np.bool_]:
    """Marks the rows that no other row dominates, shape ``(n,)``.

    Equal rows are on the front together. A row with NaN is never on it and dominates nothing.
    """
    rows = _matrix(losses)
    if rows.shape[1] <= 2:
        return np.asarray(ranks(rows) == 0)
    known = ~np.isnan(rows).any(axis=1)
    mask = np.zeros(len(rows), dtype=bool)
    distinct, first_of = np.unique(rows[known], axis=0, return_inverse=True)
    # In lexicographic order a row is dominated only by rows before it, and then also by one of the
    # kept ones, since domination is transitive.
    kept: list[int] = []
    for index, row in enumerate(distinct):
        if not (distinct[kept] <= row).all(axis=1).any():
            kept.append(index)
    mask[known] = np.isin(first_of.reshape(-1), kept)
    return mask


def ranks(losses: ArrayLike) -> NDArray[np.int64]:
    """Returns the non-domination rank of every row, shape ``(n,)``.

    0 is the front, 1 the front of the rest, and so on. Rows with NaN share the rank after the last
    front, which is at least 1.
    """
    rows = _matrix(losses)
    is_known = ~np.isnan(rows).any(axis=1)
    distinct, places = np.unique(rows[is_known], axis=0, return_inverse=True)
    result = np.zeros(len(rows), dtype=np.int64)
    result[is_known] = _ranks_of(distinct)[places.reshape(-1)]
    result[~is_known] = result.max(initial=0) + 1
    return result


def _ranks_of(distinct: Floats) -> NDArray[np.int64]:
    """Returns the ranks of different rows in lexicographic order."""
    found = np.arange(len(distinct))
    if distinct.shape[1] == 1:  # every value is a front
        return found
    if distinct.shape[1] == 2:
        lowest: list[float] = []  # the second loss of the last row of each front, ascending
        for index, second in enumerate(distinct[:, 1].tolist()):
            found[index] = rank = bisect_right(lowest, second)
            lowest[rank : rank + 1] = [second]
        return found
    left, rank = found.copy(), 0
    while len(left):
        best = front(distinct[left])
        found[left[best]] = rank
        left = left[~best]
        rank += 1
    return found


def epsilon_net_order(losses: ArrayLike) -> NDArray[np.int64]:
    """Orders rows so that the first k of them are spread widely for every k, indices ``(n,)``.

    The first is the best in the first objective; each next is the one farthest from those already
    taken, in objectives scaled to [0, 1] by the range of the rows. Ties go to the smaller index
    and rows with NaN come last, so the order is a function of the rows alone.
    """
    rows = _matrix(losses)
    is_unknown = np.isnan(rows).any(axis=1)
    known, unknown = np.flatnonzero(~is_unknown), np.flatnonzero(is_unknown)
    if len(known) == 0:
        return unknown
    scaled = _scaled(rows[known])
    taken = [int(np.lexsort(rows[known].T[::-1])[0])]
    distance = np.full(len(known), np.inf)
    while len(taken) < len(known):
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[taken[-1]], axis=1))
        distance[taken[-1]] = -1.0
        taken.append(int(np.argmax(distance)))
    return np.concatenate([known[taken], unknown])


def order(losses: ArrayLike) -> NDArray[np.int64]:
    """Orders all rows from best to worst, indices ``(n,)``: by rank, then by the epsilon-net.

    With one objective this is the ordinary order. Rows with NaN come last.
    """
    rows = _matrix(losses)
    if rows.shape[1] == 1:
        return np.argsort(rows[:, 0], kind="stable")
    rank = ranks(rows)
    ordered = np.argsort(rank, kind="stable")
    for members in np.split(ordered, np.cumsum(np.bincount(rank))[:-1]):
        if len(members) > 1:  # a view: it is ordered in place
            members[:] = members[epsilon_net_order(rows[members])]
    return ordered


def hypervolume(losses: ArrayLike, reference: ArrayLike) -> float:
    """Returns the volume that the rows dominate below the reference point; larger is better.

    Args:
        losses: Shape ``(n, m)``. Rows with NaN, or not below the reference in every objective,
            add nothing; without rows the volume is 0.
        reference: Shape ``(m,)``, finite.

    Raises:
        ValueError: The reference is not finite or has another number of objectives.
    """
    point = np.asarray(reference, dtype=np.float64)
    rows = _matrix(losses, point.size)
    if not np.isfinite(point).all() or point.ndim != 1:
        raise ValueError(f"the reference point {reference!r} must be a finite vector")
    if rows.shape[1] != len(point):
        raise ValueError(f"{rows.shape[1]} objectives, but a reference point of {len(point)}")
    rows = rows[(rows < point).all(axis=1)]
    return _volume(rows[front(rows)], point)


def _volume(rows: Floats, point: Floats) -> float:
    """Returns the hypervolume of mutually non-dominated rows, all below the point."""
    if len(rows) == 0:
        return 0.0
    if len(point) == 1:
        return float(point[0] - rows.min())
    rows = np.unique(rows, axis=0)
    if len(point) == 2:
        # Sorted by the first loss, the second falls: a staircase of rectangles.
        above = np.concatenate([[point[1]], rows[:-1, 1]])
        return float(((point[0] - rows[:, 0]) * (above - rows[:, 1])).sum())
    total = 0.0
    for index, row in enumerate(rows):
        # What this row adds to those after it (WFG): its box minus the part of it they cover.
        limited = np.maximum(rows[index + 1 :], row)
        total += float(np.prod(point - row)) - _volume(limited[front(limited)], point)
    return total


def _scaled(rows: Floats) -> Floats:
    """Scales rows to [0, 1] by objective; infinities become the end of the finite range."""
    is_finite = np.isfinite(rows)
    has_any = is_finite.any(axis=0)
    low = np.where(has_any, np.where(is_finite, rows, np.inf).min(axis=0), 0.0)
    high = np.where(has_any, np.where(is_finite, rows, -np.inf).max(axis=0), 0.0)
    width = np.where(high > low, high - low, 1.0)
    scaled: Floats = (np.clip(rows, low, high) - low) / width
    return scaled


def _matrix(losses: ArrayLike, columns: int = 1) -> Floats:
    rows = np.asarray(losses, dtype=np.float64)
    if rows.size == 0:
        return np.empty((0, rows.shape[1] if rows.ndim == 2 and rows.shape[1] else columns))
    if rows.ndim != 2:
        raise ValueError(f"losses of shape {rows.shape}; expected (trials, objectives)")
    return rows
