"""Predicted ends: what a trial that was stopped early would have had, and how uncertain that is.

A stopped trial enters the model as the end of the best complete trial plus the gap between the two
at equal epoch, and with a variance: the less it had trained, the larger. "The worst complete value"
would be wrong next to the best configurations, where a warm search stops most of its trials. The
prediction is no measurement: neither the guard nor the parameters of the model rest on it.

Not for other tasks, which learn from complete trials alone (`task_models.py`).

Source: Rasmussen and Williams 2006, "Gaussian processes for machine learning", section 2.2 (a
noise of its own for each value is one more diagonal matrix).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.apply.gaussian_process import Floats
from search.history import Trial
from search.objectives import Objective

# The metric of a curve whose study does not name it: Optuna's intermediate values.
REPORTED = ""
# Variance of the end of a trial that was stopped at once, on the models' scale of unit variance: as
# much as is known of an untried configuration. It falls linearly to 0 at the last epoch.
VARIANCE = 1.0


@dataclass(frozen=True)
class PredictedEnds:
    """Trials with predicted values where they were stopped and their curves say enough.

    Attributes:
        trials: The trials in their order; a stopped one without a prediction has no values.
        variances: On the models' scale, `(n,)`; 0 for what was measured.
    """

    trials: Sequence[Trial]
    variances: Floats


def predicted_ends(trials: Sequence[Trial], objectives: Sequence[Objective]) -> PredictedEnds:
    """Returns trials of one task with the predicted values of those that were stopped.

    Args:
        trials: Complete and stopped ones.
        objectives: The objectives of the values.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.values]
    last = max((max(_curve(each, objectives[0]), default=0) for each in complete), default=0)
    found, variances = [], np.zeros(len(trials))
    for row, trial in enumerate(trials):
        values = _end(trial, complete, objectives) if trial.state == "stopped" else None
        if values is not None:
            trial = replace(trial, values=values)
            seen = max(_curve(trial, objectives[0]))
            # Steps of a study count from 0, so the only one is the last.
            variances[row] = VARIANCE * max(1.0 - seen / last, 0.0) if last else 0.0
        found.append(trial)
    return PredictedEnds(found, variances)


def _end(
    trial: Trial, complete: Sequence[Trial], objectives: Sequence[Objective]
) -> tuple[float, ...] | None:
    """Returns the predicted values; None where a curve to compare with is missing."""
    values = []
    for index, objective in enumerate(objectives):
        curve = _curve(trial, objective)
        epoch = max(curve, default=0)
        others = [each for each in complete if epoch in _curve(each, objective)]
        if not curve or not others:
            return None
        sign = 1.0 if objective.direction == "minimize" else -1.0
        best = min(others, key=lambda each, i=index, s=sign: s * each.values[i])  # type: ignore[misc]
        end = best.values[index] + curve[epoch] - _curve(best, objective)[epoch]
        if not np.isfinite(end):
            return None
        values.append(float(end))
    return tuple(values)


def _curve(trial: Trial, objective: Objective) -> Mapping[int, float]:
    return trial.curves.get(objective.metric) or trial.curves.get(REPORTED) or {}
