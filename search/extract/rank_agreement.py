"""Rank agreement: how well an earlier search predicts the order of this search's trials.

Each earlier search predicts this search's trials from its own, and the predicted order is compared
with the observed one. Tasks with similar fingerprints may rank configurations differently, and
dissimilar ones alike. Sources are weighted in `apply/`, not here.

Sources: Kendall 1938, "A new measure of rank correlation"; comparing by pairs in the same order is
from Feurer et al. 2018, "Scalable meta-learning for Bayesian optimization" (RGPE); the interval is
Wilson's for the share of pairs in the same order, with as many independent pairs as give the
variance that Kendall's tau has for unrelated orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from search.experience import Agreement, RankCorrelation
from search.extract.objective_matrix import FEWEST_TRIALS
from search.history import Trial
from search.objectives import Objective, pareto
from search.space import SearchSpace
from search.space.encoding import encode

Floats = NDArray[np.float64]

# Fewer trials prove nothing: four trials are in the same order by chance once in 24.
FEWEST_OWN = 5
# Numbers of neighbours that cross-validation chooses from.
NEIGHBOURS = (3, 5, 10, 20)


def agreements(
    earlier: Sequence[Trial],
    own: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    similarities: Mapping[str, float],
) -> tuple[Agreement, ...]:
    """Returns the agreement of every earlier search in each objective; most similar first.

    Args:
        earlier: Trials of earlier searches, reconciled with the space. Searches with fewer than
            `FEWEST_TRIALS` complete ones are skipped.
        own: This search's trials; with fewer than `FEWEST_OWN` complete ones the result is empty.
        space: This search's space.
        objectives: In the order of the values.
        similarities: Search -> similarity of its task by fingerprint; others are skipped.
    """
    seen = [trial for trial in own if trial.values]
    if len(seen) < FEWEST_OWN:
        return ()
    most_similar_first = sorted(similarities, key=lambda name: (-similarities[name], name))
    by_search: dict[str, list[Trial]] = {name: [] for name in most_similar_first}
    for trial in earlier:
        if trial.values and trial.search in by_search:
            by_search[trial.search].append(trial)
    return tuple(
        Agreement(
            search, trials[0].task, objective, similarities[search], order,
            len(seen), own_tau, len(trials),
        )
        for search, trials in by_search.items()
        if len(trials) >= FEWEST_TRIALS
        for objective, order, own_tau in _orders(trials, space, objectives, seen)
        if order.pairs
    )  # fmt: skip


def _orders(
    trials: Sequence[Trial],
    space: SearchSpace,
    objectives: Sequence[Objective],
    seen: Sequence[Trial],
) -> Iterator[tuple[str, RankCorrelation, float]]:
    """Yields for each objective the order of one earlier search's prediction, and its own tau."""
    known, points = (
        encode(space, [trial.configuration for trial in group]) for group in (trials, seen)
    )
    theirs, ours = (
        pareto.losses([trial.values for trial in group], objectives) for group in (trials, seen)
    )
    for column, objective in enumerate(objectives):
        if np.isnan(theirs[:, column]).any():
            continue  # an objective that is only reported may be missing
        predicted, own_tau = predict(known, theirs[:, column], points)
        yield objective.metric, compare_orders(predicted, ours[:, column]), own_tau


def predict(known: Floats, losses: Floats, points: Floats) -> tuple[Floats, float]:
    """Predicts the ranks of losses at points by nearest neighbours among known trials.

    The number of neighbours, and whether columns are weighted by their relation to the losses, are
    chosen by leave-one-out cross-validation on the known trials.

    Args:
        known: Shape `(n, columns)`.
        losses: Shape `(n,)`.
        points: Shape `(m, columns)`.

    Returns:
        Predictions, shape `(m,)`, in ranks from 0 (best) to 1, and Kendall's tau of the
        cross-validation.
    """
    ranks = (rankdata(losses) - 0.5) / len(losses)
    best: tuple[float, Floats, int] | None = None
    for weights in (np.ones(known.shape[1]), _relevance(known, ranks)):
        among = _squares(known, known, weights)
        np.fill_diagonal(among, np.inf)
        for count in NEIGHBOURS:
            tau = compare_orders(_mean_of_nearest(among, ranks, count), ranks).tau
            if best is None or tau > best[0]:
                best = tau, weights, count
    assert best is not None
    tau, weights, count = best
    return _mean_of_nearest(_squares(points, known, weights), ranks, count), tau


def compare_orders(first: Floats, second: Floats) -> RankCorrelation:
    """Returns Kendall's tau over the pairs without a tie; tau 0 if there are none."""
    upper = np.triu_indices(len(first), 1)
    signs = np.sign(np.subtract.outer(first, first) * np.subtract.outer(second, second))[upper]
    pairs = int(np.count_nonzero(signs))
    if not pairs:
        return RankCorrelation(0.0, -1.0, 1.0, 0)
    tau = float(signs.sum()) / pairs
    return RankCorrelation(tau, *_interval(tau, len(first), pairs / len(signs)), pairs)


def _interval(tau: float, trials: int, untied: float) -> tuple[float, float]:
    # Var(tau) = 2 (2n + 5) / (9 n (n - 1)) for unrelated orders; a share of m pairs has variance
    # 1 / (4 m), and tau is twice the share minus one.
    pairs = untied * 9 * trials * (trials - 1) / (2 * (2 * trials + 5))
    square = float(norm.ppf(0.975)) ** 2
    share = (tau + 1) / 2
    middle = (share + square / (2 * pairs)) / (1 + square / pairs)
    half = math.sqrt(square * (share * (1 - share) + square / (4 * pairs)) / pairs)
    half /= 1 + square / pairs
    return max(-1.0, 2 * (middle - half) - 1), min(1.0, 2 * (middle + half) - 1)


def _relevance(known: Floats, ranks: Floats) -> Floats:
    """Returns a weight per column: the share of the ranks' variance that a parabola explains.

    The mean of the weights is 1.
    """
    shares = []
    for column in known.T:
        if np.ptp(column) == 0:
            shares.append(0.0)
            continue
        basis = np.stack([np.ones_like(column), column, column**2], axis=1)
        fitted = basis @ np.linalg.lstsq(basis, ranks, rcond=None)[0]
        shares.append(float(np.var(fitted) / max(float(np.var(ranks)), 1e-12)))
    total = sum(shares)
    return np.array(shares) * (len(shares) / total) if total > 0 else np.ones(known.shape[1])


def _squares(first: Floats, second: Floats, weights: Floats) -> Floats:
    scaled, others = first * np.sqrt(weights), second * np.sqrt(weights)
    products = -2 * scaled @ others.T
    squares: Floats = (scaled**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] + products
    return np.maximum(squares, 0.0)


def _mean_of_nearest(squares: Floats, values: Floats, count: int) -> Floats:
    """Returns means of the nearest values, weighted by inverse squared distance."""
    nearest = np.argsort(squares, axis=1, kind="stable")[:, : min(count, squares.shape[1] - 1)]
    weights = 1.0 / (np.take_along_axis(squares, nearest, axis=1) + 1e-6)
    means: Floats = (weights * values[nearest]).sum(axis=1) / weights.sum(axis=1)
    return means
