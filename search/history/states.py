"""States of a trial: ours, Optuna's and MLflow's. The only place that maps between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from optuna.trial import TrialState

# "stopped" is stopped early; "failed" includes results that are not finite; "interrupted" can be
# resumed.
State = Literal["complete", "stopped", "failed", "interrupted", "running"]
STATES: tuple[State, ...] = get_args(State)

FROM_OPTUNA: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}
# Without "running": a study is rebuilt from ended trials only, and Optuna cannot continue a trial.
TO_OPTUNA: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "interrupted": TrialState.FAIL,
}
# The state tag tells the two kinds of KILLED apart.
TO_MLFLOW: Mapping[State, str] = {
    "complete": "FINISHED",
    "stopped": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
    "running": "RUNNING",
}
# For tools that record only the run's status, which does not say why a run was killed.
FROM_MLFLOW: Mapping[str, State] = {
    "FINISHED": "complete",
    "FAILED": "failed",
    "KILLED": "interrupted",
    "RUNNING": "running",
    "SCHEDULED": "running",
}


def state_of_run(status: str) -> State:
    """Return the state of a run that another tool logged, from MLflow's status alone."""
    return FROM_MLFLOW.get(status, "interrupted")
