"""The history of a search on recorded curves: cold TPE on the other tasks, true or misleading.

true       50 full trials each, with their curves
inverted   who was best is said to be worst, curves and all
shuffled   curves permuted among the trials
crossing   the first half of each curve exchanged, best for worst; the ends are true
faster     curves that run three times as fast an epoch
asha       stopped after 2, 6 and 18 epochs by halving; a third goes on
none       no history
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmarks.curves.recorded import DISTRIBUTIONS, EPOCHS, Task
from benchmarks.harness.statistics import Floats
from search.apply.proposal_source import seed_of
from search.history import History

MISLEADING = ("inverted", "shuffled", "crossing", "faster", "asha")
HISTORIES = ("true", *MISLEADING, "none")
METRIC = "loss"
_SPEED = 3
_RUNGS = (2, 6, 18)
_GO_ON = 3  # one in so many


def history_of(
    past: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Task], kind: str, seed: int
) -> History | None:
    """Return what a search is told of earlier ones, oldest first; None if nothing.

    Args:
        past: Task -> its earlier search, see `searches.search`.
        tasks: All tasks.
        kind: One of HISTORIES.
        seed: Of the permutations.
    """
    if kind == "none" or not past:
        return None
    studies = {}
    for name, found in past.items():
        curves = tasks[name].curves[found["rows"]]
        changed, ends = _changed(curves, kind, seed_of(seed, kind, name))
        lengths = _cut(changed) if kind == "asha" else np.full(len(curves), EPOCHS)
        studies[name] = [
            _trial(configuration, curve[:length], end)
            for configuration, curve, length, end in zip(
                found["configurations"], changed, lengths.tolist(), ends, strict=True
            )
        ]
    return History.from_studies(studies, ["minimize"], objectives=[METRIC])


def _changed(curves: Floats, kind: str, seed: int) -> tuple[Floats, Floats]:
    """Return the curves and the values that history claims."""
    ends = curves.min(axis=1)
    order = np.argsort(ends, kind="stable")
    other = np.empty(len(order), dtype=np.int64)  # of each trial, the one of the opposite rank
    other[order] = order[::-1]
    if kind == "inverted":
        return curves[other], ends[other]
    if kind == "shuffled":
        mixed = np.random.default_rng(seed).permutation(len(curves))
        return curves[mixed], ends[mixed]
    if kind == "crossing":
        half = EPOCHS // 2
        return np.hstack([curves[other, :half], curves[:, half:]]), ends
    if kind == "faster":
        places = np.minimum(np.arange(1, EPOCHS + 1) * _SPEED, EPOCHS) - 1
        return curves[:, places], ends
    return curves, ends


def _cut(curves: Floats) -> Floats:
    """Return after how many epochs asynchronous halving stops each trial."""
    rungs: dict[int, list[float]] = {epoch: [] for epoch in _RUNGS}
    lengths = np.full(len(curves), EPOCHS)
    for place, curve in enumerate(curves):
        for epoch, losses in rungs.items():
            losses.append(float(curve[epoch - 1]))
            kept = len(losses) // _GO_ON
            if len(losses) >= _GO_ON and losses[-1] > sorted(losses)[max(kept, 1) - 1]:
                lengths[place] = epoch
                break
    return lengths


def _trial(configuration: Mapping[str, Any], curve: Floats, end: float) -> FrozenTrial:
    is_full = len(curve) == EPOCHS
    return create_trial(
        params=dict(configuration), distributions=dict(DISTRIBUTIONS),
        state=TrialState.COMPLETE if is_full else TrialState.PRUNED,
        value=float(end) if is_full else None,
        intermediate_values={epoch: float(loss) for epoch, loss in enumerate(curve, start=1)},
    )  # fmt: skip
