"""Which trials measured what a search asks for, as a matrix of values.

History mixes searches with other objectives, other directions and broken values; every method of
this step starts from the rows selected here, so they all leave out the same trials for the same
reasons. Not for changing values: nothing is imputed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.experience import LeftOut
from search.history import Trial
from search.objectives.objective import UNKNOWN, Objective
from search.objectives.pareto import losses

# Fewer complete trials than this support no statement: on a six-dimensional quadratic with noise
# no evaluator found the strongest hyperparameter in more than 60 % of 25 searches of 8 trials.
FEWEST_TRIALS = 8


@dataclass(frozen=True)
class ObjectiveMatrix:
    """Complete trials with every objective measured.

    Attributes:
        trials: n of them.
        values: Shape `(n, objectives)`, finite, as logged.
        losses: The same with the direction taken out: smaller is better.
        left_out: Complete trials that lack an objective or contradict a direction.
        turned: Shape `(n, objectives)`: what was wanted in the other direction, under another name.
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
    """Selects the complete trials that measured all objectives.

    A metric that was no objective of the earlier search counts with its value at the trial's last
    epoch. Trials that are not complete are passed over: they are not measured yet, or never. A
    metric in `renamed` had another name before, and may have been wanted in the other direction.
    """
    kept: list[Trial] = []
    rows: list[list[float]] = []
    left_out: list[LeftOut] = []
    for trial in trials:
        if trial.state != "complete":
            continue
        problem = _problem(trial, objectives, renamed)
        if problem:
            left_out.append(LeftOut(trial.run_id, f"{trial.search}/{trial.number}", problem))
        else:
            kept.append(trial)
            rows.append([trial.value_of(each.metric) for each in objectives])
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(objectives))
    turned = np.array(
        [
            [
                trial.direction_of(each.metric, each.direction) != each.direction
                for each in objectives
            ]
            for trial in kept
        ],
        dtype=bool,
    ).reshape(values.shape)
    signed = np.where(turned, -1.0, 1.0) * losses(values, objectives)
    return ObjectiveMatrix(tuple(kept), values, signed, tuple(left_out), turned)


def _problem(
    trial: Trial,
    objectives: Sequence[Objective],
    renamed: Collection[str],
) -> str:
    for objective in objectives:
        metric, direction = objective.metric, objective.direction
        theirs = trial.direction_of(metric, direction)
        if theirs == UNKNOWN:
            return f"does not say whether {trial.counterpart(metric)} is to be small or large"
        if theirs != direction and metric not in renamed:
            own = trial.counterpart(metric)
            return f"wanted to {theirs} {own}, this search wants to {direction} it"
        if not math.isfinite(trial.value_of(metric)):
            return f"did not measure {metric}"
    return ""
