"""Tables of benchmarks/cheap_figure.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from benchmarks import reference

JUDGE, AUTOATTACK = "APGD-CE and APGD-T", "AutoAttack"
IN_SEARCH = "the figure in a search (149 other images)"
GOAL = 0.95
HALVINGS = 200


def different_pairs(flags: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs (better, worse) whose paired difference exceeds two standard errors.

    Args:
        flags: Shape `(models, examples)`, 1 where an example stands.
    """
    pairs = []
    for first, second in combinations(range(len(flags)), 2):
        differences = flags[first] - flags[second]
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        if abs(differences.mean()) > 2 * error:
            pairs.append((first, second) if differences.mean() > 0 else (second, first))
    return pairs


def in_order(figures: ArrayLike, pairs: Sequence[tuple[int, int]]) -> float:
    """Share of the pairs (better, worse) whose figures say so; a tie does not."""
    values = np.asarray(figures)
    return float(np.mean([values[better] > values[worse] for better, worse in pairs]))


def split_half(flags: NDArray[np.float64], halvings: int = HALVINGS) -> float:
    """Mean Spearman correlation of the models' accuracies on two random halves of the examples."""
    generator, found = np.random.default_rng(0), []
    for _ in range(halvings):
        order = generator.permutation(flags.shape[1])
        first, second = np.array_split(order, 2)
        found.append(
            spearmanr(flags[:, first].mean(axis=1), flags[:, second].mean(axis=1)).statistic
        )
    return float(np.mean(found))


def report(cells: Mapping[str, Mapping[str, Any]], parts: Sequence[str]) -> None:
    """Writes results/reference/cheap_figure.*."""
    names = list(cells)
    flags = {
        attack: np.array([cells[name]["flags"][attack] for name in names], dtype=float)
        for attack in ("clean", *parts, JUDGE, AUTOATTACK)
    }
    seconds = {
        attack: np.array([cells[name]["seconds"][attack] for name in names])
        for attack in (*parts, JUDGE, AUTOATTACK)
    }
    pairs, final = different_pairs(flags[JUDGE]), flags[AUTOATTACK].mean(axis=1)
    figures = {
        IN_SEARCH: np.array([cells[name]["in search"] for name in names]),
        **{part: flags[part].mean(axis=1) for part in parts},
    }
    share = in_order(figures[IN_SEARCH], pairs)
    rows = []
    for figure, values in figures.items():
        ours = np.median(seconds[AUTOATTACK] / seconds[parts[0] if figure == IN_SEARCH else figure])
        gap = values - final
        rows.append([
            figure, f"{in_order(values, pairs):.3f}",
            f"{spearmanr(values, final).statistic:.3f}",
            f"{gap.mean():+.3f} ({gap.min():+.3f} to {gap.max():+.3f})",
            f"{ours:.0f}" if figure != IN_SEARCH else f"{ours * 500 / 149:.0f}",
        ])  # fmt: skip
    rows.append([JUDGE, f"{in_order(flags[JUDGE].mean(axis=1), pairs):.3f}",
                 f"{spearmanr(flags[JUDGE].mean(axis=1), final).statistic:.3f}",
                 f"{(flags[JUDGE].mean(axis=1) - final).mean():+.3f}",
                 f"{np.median(seconds[AUTOATTACK] / seconds[JUDGE]):.1f}"])  # fmt: skip
    models = [
        [name, f"{flags['clean'][index].mean():.3f}", f"{figures[IN_SEARCH][index]:.3f}",
         *(f"{flags[attack][index].mean():.3f}" for attack in (parts[0], JUDGE, AUTOATTACK))]
        for index, name in enumerate(names)
    ]  # fmt: skip
    body = [
        "# Does the robust figure inside a search put configurations in the right order?", "",
        f"Twenty networks on digits, L-infinity 0.1. Of the {len(names) * (len(names) - 1) // 2} "
        f"pairs, {len(pairs)} really differ under {JUDGE} on 500 test images (paired difference "
        f"above two standard errors). The search's figure has **{share:.1%}** of them in the right "
        f"order; goal {GOAL:.0%}: **{'reached' if share >= GOAL else 'not reached'}**. Spearman's "
        f"correlation of AutoAttack's two halves (250 images each, mean of {HALVINGS} halvings): "
        f"{split_half(flags[AUTOATTACK]):.3f}.", "",
        *reference.table(["figure", "right order", "Spearman with AutoAttack",
                          "less AutoAttack: mean (range)", "times cheaper than AutoAttack"], rows),
        "", "Cheaper is the median ratio of seconds on one core; that of the first line is scaled "
        "to its 149 images.", "",
        *reference.table(["network", "clean", "in a search", "PGD-10", JUDGE, AUTOATTACK], models),
    ]  # fmt: skip
    command = "python -m benchmarks.cheap_figure run, then report"
    reference.write("cheap_figure", command, body, {"cells": dict(cells)})
