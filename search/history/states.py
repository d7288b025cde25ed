"""How a trial ends, in our words, Optuna's and MLflow's. Nothing else maps one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from optuna.trial import TrialState

# "stopped" is stopped early; "failed" includes results that are not finite; "interrupted" is cut
# off, to be resumed.
State = Literal["complete", "stopped", "failed", "interrupted", "running"]
STATES: tuple[State, ...] = get_args(State)

FROM_OPTUNA: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}
# A study is rebuilt from trials that have ended, and Optuna cannot go on with one.
TO_OPTUNA: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "interrupted": TrialState.FAIL,
}
# KILLED is told apart by the state tag.
TO_MLFLOW: Mapping[State, str] = {
    "complete": "FINISHED",
    "stopped": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
    "running": "RUNNING",
}
# Where a tool says nothing better than the run's status. Nobody but the one who ended it knows why
# a run was killed.
FROM_MLFLOW: Mapping[str, State] = {
    "FINISHED": "complete",
    "FAILED": "failed",
    "KILLED": "interrupted",
    "RUNNING": "running",
    "SCHEDULED": "running",
}


def state_of_run(status: str) -> State:
    """The state of a run that another tool logged, by MLflow's status alone."""
    return FROM_MLFLOW.get(status, "interrupted")
