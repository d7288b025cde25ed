"""Guard: whether history helps here, measured on what was seen here, at every proposal anew.

Three models of this task compete: one that leans on all past tasks, one on those only whose
predictions agree with what was seen, one without history. The one under which the results here
were most probable proposes the next trial. Trial punishes a model for what it expects and does
not find, so history that misleads is dropped within a few trials, and taken up again if that was
chance.

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

# Below this many results tasks are not told apart by their agreement: of 3 or 4 values even a
# perfect order is chance one time in 6 or 24.
FEWEST_TO_DISAGREE = 5
# Log evidence by which the model without history must be ahead. History was believed to help
# before the first trial; odds of three to one against it end that.
DOUBT = 1.1


@dataclass(frozen=True)
class GuardedObjective:
    """What the guard decided for one objective.

    Attributes:
        members: Indices of the past tasks that the model leans on; none if history is dropped.
        parameters: Of the chosen model.
        log_evidence: Of the best model with history over the one without; 0 if there is none.
        agreement: For each past task Kendall's tau of its prediction with what was seen here; NaN
            where it predicts no difference.
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
        scores: What was seen, `(n,)`.
        task_predictions: Past tasks' predictions there, `(n, tasks)`.
        alone: The model without history.
        model_with: Makes the model that starts from the predictions of the tasks of these indices.
    """
    tasks = task_predictions.shape[1]
    if not tasks:
        return GuardedObjective((), alone.parameters, 0.0, ())
    agreement = tuple(_tau(task_predictions[:, task], scores) for task in range(tasks))
    everyone = tuple(range(tasks))
    contenders = {everyone: model_with(everyone)}
    agreeing = tuple(task for task in everyone if agreement[task] > 0)
    if len(scores) >= FEWEST_TO_DISAGREE and agreeing and agreeing != everyone:
        contenders[agreeing] = model_with(agreeing)
    members = max(contenders, key=lambda each: contenders[each].evidence)
    ahead = contenders[members].evidence - alone.evidence
    if ahead < -DOUBT:
        return GuardedObjective((), alone.parameters, ahead, agreement)
    return GuardedObjective(members, contenders[members].parameters, ahead, agreement)


def guard_record(
    judgements: Sequence[GuardedObjective],
    names: Sequence[str],
    trials: int,
    reasons: Mapping[str, str],
) -> dict[str, Any]:
    """The guard's part of a trial's origin, JSON-able; over all objectives together.

    Args:
        judgements: One an objective. History is "all" if every objective leans on every task,
            "none" if none leans on any, "agreeing" between.
        names: Of the past tasks.
        trials: Complete own trials that were seen.
        reasons: Task -> why it was left out before the first trial.
    """
    used = {task for judgement in judgements for task in judgement.members}
    size = min((len(judgement.members) for judgement in judgements), default=0)
    # Where one objective has let go of history, what speaks is the evidence of the others.
    speaking = [judgement for judgement in judgements if judgement.members] or judgements
    return {
        "history": "none" if not used else "all" if size == len(names) else "agreeing",
        "log_evidence": round(float(sum(each.log_evidence for each in speaking)), 3),
        "trials": trials,
        "dropped": {
            **reasons,
            **{
                name: "its predictions do not fit what was seen here"
                for index, name in enumerate(names)
                if index not in used
            },
        },
        "agreement": {
            name: round(float(np.mean([each.agreement[index] for each in judgements])), 3)
            for index, name in enumerate(names)
            if np.isfinite([each.agreement[index] for each in judgements]).all()
        },
    }


def _tau(predicted: Floats, seen: Floats) -> float:
    if len(seen) < 2 or np.ptp(predicted) == 0 or np.ptp(seen) == 0:
        return float("nan")
    return float(kendalltau(predicted, seen).statistic)
