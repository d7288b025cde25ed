"""Guard: decide at every proposal whether history helps here, from the results of this search.

Three models of this task compete: one on all past tasks, one on those only whose predictions agree
with the results here, one without history. The one with the highest evidence proposes the next
trial. Evidence falls when a model predicts what does not occur, so misleading history is dropped
within a few trials, and used again if that was chance.

Sources: MacKay 1992, "Bayesian interpolation" (comparing models by evidence); Kendall 1938, "A new
measure of rank correlation". Dropping sources by their ranking errors is from Feurer et al. 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from search.apply.gaussian_process import Floats, Process

# With fewer results tasks are not told apart by their agreement: a perfect order of 3 or 4 values
# is chance one time in 6 or 24.
FEWEST_TO_DISAGREE = 5
# Log evidence by which the model without history must be ahead: odds of three to one. History has
# the benefit of the doubt.
DOUBT = 1.1


@dataclass(frozen=True)
class GuardedObjective:
    """What the guard decided for one objective.

    Attributes:
        members: Indices of the past tasks that the model uses; none if history is dropped.
        parameters: Parameters of the chosen model.
        log_evidence: Of the best model with history over the one without; 0 if there is none.
        agreement: Kendall's tau of each past task's predictions with the results here; NaN where
            all predictions are equal.
    """

    members: tuple[int, ...]
    parameters: Floats
    log_evidence: float
    agreement: tuple[float, ...]


def guard_objective(
    scores: Floats,
    task_predictions: Floats,
    alone: Process,
    model_with: Callable[[Sequence[int]], Process],
) -> GuardedObjective:
    """Chooses between the models of one objective.

    Args:
        scores: Results here, `(n,)`.
        task_predictions: Past tasks' predictions of them, `(n, tasks)`.
        alone: The model without history.
        model_with: Makes the model on the tasks of these indices.
    """
    everyone = tuple(range(task_predictions.shape[1]))
    if not everyone:
        return GuardedObjective((), alone.parameters, 0.0, ())
    # NaN where the predictions or the results are all equal, or with a single result
    agreement = tuple(kendalltau(task_predictions, scores[:, None], axis=0).statistic.tolist())
    models = {everyone: model_with(everyone)}
    agreeing = tuple(task for task in everyone if agreement[task] > 0)
    if len(scores) >= FEWEST_TO_DISAGREE and agreeing and agreeing != everyone:
        models[agreeing] = model_with(agreeing)
    members = max(models, key=lambda each: models[each].evidence)
    ahead = models[members].evidence - alone.evidence
    if ahead < -DOUBT:
        return GuardedObjective((), alone.parameters, ahead, agreement)
    return GuardedObjective(members, models[members].parameters, ahead, agreement)


def guard_record(
    decisions: Sequence[GuardedObjective],
    names: Sequence[str],
    trials: int,
    reasons: Mapping[str, str],
) -> dict[str, Any]:
    """Returns the guard's part of a trial's origin, JSON-able, over all objectives together.

    Args:
        decisions: One for each objective. History is "all" if every objective uses every task,
            "none" if none uses any, else "agreeing".
        names: Names of the past tasks.
        trials: Number of this search's results so far.
        reasons: Task -> why it was left out before the first trial.
    """
    used = {task for decision in decisions for task in decision.members}
    size = min((len(decision.members) for decision in decisions), default=0)
    # The evidence of objectives that use history; of all if none does.
    counted = [decision for decision in decisions if decision.members] or decisions
    agreement = np.array([decision.agreement for decision in decisions]).mean(axis=0).tolist()
    unused = [name for index, name in enumerate(names) if index not in used]
    return {
        "history": "none" if not used else "all" if size == len(names) else "agreeing",
        "log_evidence": round(float(sum(each.log_evidence for each in counted)), 3),
        "trials": trials,
        "dropped": {
            **reasons,
            **dict.fromkeys(unused, "its predictions do not fit the results of this search"),
        },
        "agreement": {
            name: round(value, 3)
            for name, value in zip(names, agreement, strict=True)
            if np.isfinite(value)
        },
    }
