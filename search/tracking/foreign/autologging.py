"""Read runs of MLflow's autologging, mainly children of scikit-learn's parameter searches.

Layout: https://mlflow.org/docs/latest/ml/traditional-ml/sklearn/ (`mlflow.sklearn.autolog`). A
`GridSearchCV` is a run; each of its (best) candidates is a child with all parameters of the
estimator, `mean_test_score` and the like as metrics, and the times of the whole search. The search
maximises `mean_test_score`, or `mean_test_<refit>` with several scores, so that is the objective.
Other autologged runs (torch, xgboost) have params and metrics like runs logged by hand.
"""

from __future__ import annotations

from search.history.states import state_of_run
from search.objectives import Objective
from search.tracking.foreign.layout import Reading, hyperparameters
from search.tracking.runs import Run

TOOL = "autolog"
CLASS = "estimator_class"
SCORE = "mean_test_score"


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns whether the run has the tag of an estimator or of autologging."""
    return CLASS in run.tags or "mlflow.autologging" in run.tags


def is_parameter_search(run: Run) -> bool:
    """Returns whether the run is a GridSearchCV or a similar search."""
    return run.tags.get(CLASS, "").endswith("SearchCV")


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the run's reading; a candidate's objective is the score that its search maximised."""
    state = state_of_run(run.status)
    texts, model = hyperparameters(run.params), run.tags.get(CLASS, "")
    if parent is None or not is_parameter_search(parent):
        return Reading(state, texts, model=model)
    chosen = f"mean_test_{parent.params.get('refit', '')}"
    objective = next((name for name in (SCORE, chosen) if name in run.metrics), "")
    objectives = (Objective(objective, "maximize"),) if objective else ()
    measured = tuple(run.metrics[each.metric] for each in objectives)
    return Reading(
        state,
        texts,
        objectives=objectives,
        values=measured if state == "complete" else (),
        model=model,
        has_times=False,
    )
