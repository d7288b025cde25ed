"""Read runs logged by hand, or by an unknown tool: params and metrics are taken as logged.

Layout: https://mlflow.org/docs/latest/ml/tracking/ (params are text, metrics have steps). Such a
run states no objective, so it has none; all its curves are kept, and a metric's value is its last
one. Plain params of Ray's callback, without its metrics, are read here too.
"""

from __future__ import annotations

from search.history.states import state_of_run
from search.tracking.foreign.layout import Reading, hyperparameters
from search.tracking.runs import Run

TOOL = ""


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns True: this layout comes last."""
    return True


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the run's reading, as it was logged."""
    return Reading(state_of_run(run.status), hyperparameters(run.params))
