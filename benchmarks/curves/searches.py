"""One search on recorded curves, one trial after the other, and cold TPE, which all is paired to.

The value of a trial is the best loss of its epochs: the weights of the best epoch are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from benchmarks.curves.recorded import EPOCHS, NAMES, Task
from search.apply.proposal_source import seed_of

TRIALS = 50  # of a cold search, and of each earlier one
MOST_TRIALS = 250
COLD_SEEDS = 10

# Number of a trial, its losses so far -> whether it is stopped here.
Stopping = Callable[[int, Sequence[float]], bool]


def search(
    task: Task,
    sampler: BaseSampler,
    *,
    trials: int = MOST_TRIALS,
    stops: Stopping | None = None,
    target: float = -np.inf,
    limit: float = np.inf,
) -> dict[str, Any]:
    """Run a search until any trial shows the target at any epoch, or the limit is spent.

    Args:
        task: Has the curves.
        sampler: Makes the proposals.
        trials: How many at most.
        stops: Asked after each epoch but the last; None stops no trial.
        target: The loss to reach.
        limit: Epochs of all trials together.

    Returns:
        `configurations`, `rows`, `epochs` of each trial, and `is_reached`.
    """
    study = optuna.create_study(sampler=sampler, direction="minimize")
    done: dict[str, Any] = {"configurations": [], "rows": [], "epochs": [], "is_reached": False}
    while len(done["rows"]) < trials and sum(done["epochs"]) < limit:
        trial = study.ask()
        configuration = {name: trial.suggest_float(name, 0.0, 1.0) for name in NAMES}
        row = task.row_of(configuration)
        curve, seen, is_stopped = task.curves[row], 0, False
        while seen < EPOCHS and not is_stopped and not done["is_reached"]:
            trial.report(curve[seen], seen + 1)
            seen += 1
            done["is_reached"] = bool(curve[seen - 1] <= target)
            is_stopped = (
                stops is not None and seen < EPOCHS and stops(trial.number, curve[:seen].tolist())
            )
        if is_stopped:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, float(curve[:seen].min()))
        done["configurations"].append(configuration)
        done["rows"].append(row)
        done["epochs"].append(seen)
        if done["is_reached"]:
            break
    return done


def cold(task: Task, seed: int) -> dict[str, Any]:
    """Run cold TPE, `TRIALS` full trials."""
    sampler = TPESampler(seed=seed_of(seed, "benchmarks.curves", task.name) % 2**31)
    return search(task, sampler, trials=TRIALS)
