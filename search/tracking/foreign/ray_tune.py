"""Read runs of Ray's `MLflowLoggerCallback`: flat, one per trial, in one experiment.

Layout: https://docs.ray.io/en/latest/tune/api/doc/ray.air.integrations.mlflow.MLflowLoggerCallback.html
Params are the trial's config, nested keys joined by `/`; metrics are every number of every result,
the config again as `config/...`, and Ray's own counters and times. The tag `trial_name` names the
trial. A resumed Tuner logs a trial again under its old name, and leaves the first run RUNNING. Ray
does not log what it optimised.
"""

from __future__ import annotations

from search.history.states import state_of_run
from search.tracking.foreign.layout import Reading, hyperparameters
from search.tracking.runs import Run

TOOL = "ray"
PREFIX = "config/"


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns whether the run has Ray's tag, counter, or prefix."""
    return (
        "trial_name" in run.tags
        or "training_iteration" in run.metrics
        or any(name.startswith(PREFIX) for name in (*run.params, *run.metrics))
    )


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the run's reading; hyperparameters found only in metrics are taken from there."""
    texts = {
        name.removeprefix(PREFIX): repr(value)
        for name, value in run.metrics.items()
        if name.startswith(PREFIX)
    }
    texts |= {name.removeprefix(PREFIX): text for name, text in run.params.items()}
    return Reading(
        state_of_run(run.status),
        hyperparameters(texts),
        identity=run.tags.get("trial_name", ""),
    )
