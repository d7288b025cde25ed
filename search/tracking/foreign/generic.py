"""Runs logged by hand, or by a tool we do not know: params and metrics are taken as they stand.

Layout: https://mlflow.org/docs/latest/ml/tracking/ (params are text, metrics have steps). A run
says no objective, so it has none: its curves are all there, and a metric's last value stands for
it. Plain params of Ray's callback, without its metrics, are read here too.
"""

from __future__ import annotations

from search.history.states import state_of_run
from search.tracking.foreign.layout import Reading, hyperparameters
from search.tracking.runs import Run

TOOL = ""


def recognises(run: Run, parent: Run | None) -> bool:
    """Whatever no other layout claims."""
    return True


def read(run: Run, parent: Run | None) -> Reading:
    """The run as it stands."""
    return Reading(state_of_run(run.status), hyperparameters(run.params))
