"""Select the trials that measured a search's objectives, as a matrix of values.

History mixes searches with other objectives, other directions and broken values. Every method of
this step uses the rows selected here, so all leave out the same trials for the same reasons. No
value is imputed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.experience import LeftOut
from search.history import Trial
from search.objectives import Objective
from search.objectives.pareto import losses
from search.review.reconcile import Valued, objective_values

# Fewer complete trials support no conclusion: on a noisy six-dimensional quadratic no evaluator
# found the strongest hyperparameter in more than 60 % of 25 searches of 8 trials.
FEWEST_TRIALS = 8


@dataclass(frozen=True)
class ObjectiveMatrix:
    """Complete trials with every objective measured.

    Attributes:
        trials: The n trials.
        values: Shape `(n, objectives)`, finite, as logged.
        losses: The same with signs such that smaller is better.
        left_out: Complete trials that lack an objective or contradict a direction.
        turned: Shape `(n, objectives)`: whether a renamed metric had the other direction.
    """

    trials: tuple[Trial, ...]
    values: NDArray[np.float64]
    losses: NDArray[np.float64]
    left_out: tuple[LeftOut, ...]
    turned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.trials)


def objective_matrix(
    trials: Sequence[Trial],
    objectives: Sequence[Objective],
    renamed: Collection[str] = (),
) -> ObjectiveMatrix:
    """Selects the complete trials that measured all objectives, whatever their role.

    A metric that was not an objective of the earlier search counts with its value at the trial's
    last epoch. Trials that are not complete are skipped. A metric in `renamed` had another name
    before, and may have had the other direction.
    """
    measured = [Objective(each.metric, each.direction) for each in objectives]
    kept: list[tuple[Trial, Valued]] = []
    left_out: list[LeftOut] = []
    for trial in trials:
        if trial.state != "complete":
            continue
        valued = objective_values(trial, measured, renamed)
        if valued.problem:
            name = f"{trial.search}/{trial.number}"
            left_out.append(LeftOut(trial.run_id, name, valued.problem))
        else:
            kept.append((trial, valued))
    shape = (len(kept), len(objectives))
    turned = [[each.metric in valued.turned for each in objectives] for _, valued in kept]
    is_turned = np.array(turned, dtype=bool).reshape(shape)
    values = np.array([valued.values for _, valued in kept], dtype=np.float64).reshape(shape)
    return ObjectiveMatrix(
        trials=tuple(trial for trial, _ in kept),
        values=np.where(is_turned, -values, values),
        losses=losses(values, objectives),
        left_out=tuple(left_out),
        turned=is_turned,
    )
