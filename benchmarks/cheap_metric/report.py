"""The report of the cheap-metric benchmark: which pairs are ordered correctly, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from benchmarks.harness import provenance, tables

FINAL, AUTOATTACK = "APGD-CE and APGD-T", "AutoAttack"
IN_SEARCH = "the metric in a search (149 other images)"
GOAL = 0.95
HALVINGS = 200


def different_pairs(flags: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return pairs (better, worse) whose paired difference exceeds two standard errors.

    Args:
        flags: Shape `(models, examples)`, 1 where an example is classified correctly under attack.
    """
    pairs = []
    for first, second in combinations(range(len(flags)), 2):
        differences = flags[first] - flags[second]
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        if abs(differences.mean()) > 2 * error:
            pairs.append((first, second) if differences.mean() > 0 else (second, first))
    return pairs


def in_order(metrics: ArrayLike, pairs: Sequence[tuple[int, int]]) -> float:
    """Return the share of pairs (better, worse) whose metrics agree; a tie does not."""
    values = np.asarray(metrics)
    return float(np.mean([values[better] > values[worse] for better, worse in pairs]))


def split_half(flags: NDArray[np.float64]) -> float:
    """Return the mean Spearman correlation of accuracies on two random halves of the examples."""
    generator, found = np.random.default_rng(0), []
    for _ in range(HALVINGS):
        order = generator.permutation(flags.shape[1])
        first, second = np.array_split(order, 2)
        found.append(
            spearmanr(flags[:, first].mean(axis=1), flags[:, second].mean(axis=1)).statistic
        )
    return float(np.mean(found))


def report(
    cells: Mapping[str, Mapping[str, Any]],
    parts: Sequence[str],
    command: str,
    seed: int,
) -> None:
    """Write results/reference/cheap_metric.*."""
    names = list(cells)
    flags = {
        attack: np.array([cells[name]["flags"][attack] for name in names], dtype=float)
        for attack in ("clean", *parts, FINAL, AUTOATTACK)
    }
    seconds = {
        attack: np.array([cells[name]["seconds"][attack] for name in names])
        for attack in (*parts, FINAL, AUTOATTACK)
    }
    pairs, final = different_pairs(flags[FINAL]), flags[AUTOATTACK].mean(axis=1)
    metrics = {
        IN_SEARCH: np.array([cells[name]["in search"] for name in names]),
        **{part: flags[part].mean(axis=1) for part in parts},
    }
    share = in_order(metrics[IN_SEARCH], pairs)
    rows = []
    for name, values in metrics.items():
        ours = np.median(seconds[AUTOATTACK] / seconds[parts[0] if name == IN_SEARCH else name])
        gap = values - final
        rows.append([
            name, f"{in_order(values, pairs):.3f}",
            f"{spearmanr(values, final).statistic:.3f}",
            f"{gap.mean():+.3f} ({gap.min():+.3f} to {gap.max():+.3f})",
            f"{ours:.0f}" if name != IN_SEARCH else f"{ours * 500 / 149:.0f}",
        ])  # fmt: skip
    rows.append([FINAL, f"{in_order(flags[FINAL].mean(axis=1), pairs):.3f}",
                 f"{spearmanr(flags[FINAL].mean(axis=1), final).statistic:.3f}",
                 f"{(flags[FINAL].mean(axis=1) - final).mean():+.3f}",
                 f"{np.median(seconds[AUTOATTACK] / seconds[FINAL]):.1f}"])  # fmt: skip
    models = [
        [name, f"{flags['clean'][index].mean():.3f}", f"{metrics[IN_SEARCH][index]:.3f}",
         *(f"{flags[attack][index].mean():.3f}" for attack in (parts[0], FINAL, AUTOATTACK))]
        for index, name in enumerate(names)
    ]  # fmt: skip
    body = [
        "# Does the robust metric inside a search put configurations in the right order?", "",
        f"Twenty networks on digits, L-infinity 0.1. Of the {len(names) * (len(names) - 1) // 2} "
        f"pairs, {len(pairs)} really differ under {FINAL} on 500 test images (paired difference "
        f"above two standard errors). The search's metric has **{share:.1%}** of them in the right "
        f"order; goal {GOAL:.0%}: **{'reached' if share >= GOAL else 'not reached'}**. Spearman's "
        f"correlation of AutoAttack's two halves (250 images each, mean of {HALVINGS} halvings): "
        f"{split_half(flags[AUTOATTACK]):.3f}.", "",
        *tables.table(["metric", "right order", "Spearman with AutoAttack",
                          "less AutoAttack: mean (range)", "times cheaper than AutoAttack"], rows),
        "", "Cheaper is the median ratio of seconds on one core; that of the first line is scaled "
        "to its 149 images.", "",
        *tables.table(["network", "clean", "in a search", "PGD-10", FINAL, AUTOATTACK], models),
    ]  # fmt: skip
    provenance.write(
        "cheap_metric", body, {"cells": dict(cells)}, command=command,
        seeds=f"{seed} of the trainings, 0 of the halvings",
    )  # fmt: skip
