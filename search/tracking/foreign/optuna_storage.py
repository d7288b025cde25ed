"""Read runs of `mlflow.optuna.MlflowStorage`: a study is a run, its trials are nested below it.

Layout: https://mlflow.org/docs/latest/ml/traditional-ml/tutorials/hyperparameter-tuning/
and the methods of `optuna.storages.BaseStorage`. The study's tag `optuna.study_direction` names the
directions. A trial has its distributions as JSON of JSON (tag `param_directions`, sic), each value
in Optuna's internal form (tag `param_internal_val_<name>`), its values as `value` or `value_0` and
so on, and its intermediate values as the curve `intermediate_value`. KILLED means pruned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution

from search.history.states import state_of_run
from search.objectives import Objective
from search.tracking.foreign.layout import Reading, direction_names, hyperparameters
from search.tracking.runs import UNREADABLE, Run, trial_number

TOOL = "optuna"
DIRECTIONS = "optuna.study_direction"
DISTRIBUTIONS = "param_directions"
INTERNAL = "param_internal_val_"
NAMES = "sys_study:metric_names"
INTERMEDIATE = "intermediate_value"


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns whether the run has the tag that every trial has."""
    return DISTRIBUTIONS in run.tags


def is_study(run: Run) -> bool:
    """Returns whether the run is a study."""
    return DIRECTIONS in run.tags


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the trial's reading, with the types and objectives of the study."""
    state = "stopped" if run.status == "KILLED" else state_of_run(run.status)
    known, distributions = _values(run)
    logged, objectives = _objectives(run, parent)
    has_all = state == "complete" and all(name in run.metrics for name in logged)
    curves = {name: each.metric for name, each in zip(logged, objectives, strict=True)}
    if INTERMEDIATE in run.metrics and objectives:
        curves |= {name: "" for name in logged}  # the curve has it, with the epoch
        curves[INTERMEDIATE] = objectives[0].metric
    return Reading(
        state,
        {name: text for name, text in hyperparameters(run.params).items() if name not in known},
        known,
        distributions,
        objectives,
        tuple(run.metrics[name] for name in logged) if has_all else (),
        number=trial_number(run.tags.get("numbers", "")),
        curves=curves,
    )


def _values(run: Run) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    known: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    try:
        texts = json.loads(run.tags[DISTRIBUTIONS])
        for name, text in texts.items():
            kind = json_to_distribution(text)
            internal = run.tags.get(f"{INTERNAL}{name}")
            if internal is not None:
                known[name] = kind.to_external_repr(float(json.loads(internal)))
                distributions[name] = kind
    except UNREADABLE:
        pass  # what was read is kept; the rest is text like any other param
    return known, distributions


def _objectives(run: Run, parent: Run | None) -> tuple[tuple[str, ...], tuple[Objective, ...]]:
    """Returns metrics as logged, and objectives; both empty if the study was not read."""
    directions = direction_names(parent.tags.get(DIRECTIONS, "")) if parent is not None else ()
    numbered = tuple(f"value_{index}" for index in range(len(directions)))
    logged = ("value",) if len(directions) == 1 else numbered
    named = _metric_names(parent.tags) if parent is not None else ()
    is_named = len(set(named)) == len(directions) and len(named) == len(directions)
    return logged, tuple(map(Objective, named if is_named else logged, directions))


def _metric_names(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names given to `Study.set_metric_names`; empty for none."""
    try:
        names = json.loads(tags.get(NAMES, "[]"))
        "".join(names).encode()
        return tuple(names)
    except UNREADABLE:
        return ()
