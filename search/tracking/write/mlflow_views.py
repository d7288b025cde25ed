"""Saved views of the MLflow page: trials by search, the Pareto front, searches and verdicts.

By default MLflow 3.17 shows no objectives, draws ten runs, and groups nothing. A view saved as an
experiment tag is listed in the page's Views menu and opened by a link. The format was read from the
page's requests, it is not documented; a page that does not know it ignores the tag. Nothing reads a
view back.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.objectives import Objective
from search.tracking import tag_names
from search.tracking.store import all_experiments

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "mlflow.sharedViewState.twentieth-"
# An experiment's tag holds 5,000 characters, and nobody reads wider tables.
HYPERPARAMETERS_SHOWN = 6
# MLflow's default is ten.
RUNS_DRAWN = 100
# Flags of a chart or section that nobody changed in the page.
UNTOUCHED = {"deleted": False, "isGenerated": False}


def write_views(
    client: MlflowClient,
    experiment: str,
    objectives: Sequence[Objective],
    hyperparameters: Sequence[str],
) -> None:
    """Saves three views in an experiment: "trials", "front" and "searches".

    Args:
        client: a client of the store.
        experiment: the id of the experiment.
        objectives: the search's objectives, primary first.
        hyperparameters: names to show as columns, best those that every trial has.
    """
    shown = list(hyperparameters)[:HYPERPARAMETERS_SHOWN]
    trials = _trials(objectives, shown)
    views = {
        "trials": ("Trials by search", trials),
        "front": ("Pareto front", trials | _charts(objectives, shown)),
        "searches": ("Searches and verdicts", _searches()),
    }
    from mlflow.exceptions import MlflowException

    now = int(time.time() * 1000)
    for key, (title, state) in views.items():
        view = {"name": title, "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
        with contextlib.suppress(MlflowException):  # for example too long; a search needs no view
            client.set_experiment_tag(experiment, TAG + key, json.dumps(view))


def links(client: MlflowClient, address: str) -> dict[str, str]:
    """Returns experiment name -> URL of its trials by search, on the page at `address`."""
    return {
        experiment.name: (
            f"{address}/#/experiments/{experiment.experiment_id}/runs"
            "?workflowType=machine_learning&viewStateShareKey=twentieth-trials"
        )
        for experiment in all_experiments(client)
        if TAG + "trials" in experiment.tags
    }


def _trials(objectives: Sequence[Objective], hyperparameters: Sequence[str]) -> dict[str, Any]:
    metrics = [f"metrics.`{each.metric}`" for each in objectives]
    columns = [
        *metrics,
        f"tags.`{tag_names.STATE}`",
        f"tags.`{tag_names.STEP}`",
        *(f"params.`{name}`" for name in hyperparameters),
    ]
    aggregate = {"maximize": "max", "minimize": "min"}[objectives[-1].direction]
    return {
        "searchFilter": f"tags.`{tag_names.KIND}` = 'trial'",
        # Only complete trials have the last objective, so they come first.
        "orderByKey": metrics[-1],
        "orderByAsc": not objectives[-1].is_maximized,
        "groupBy": f"tag.{aggregate}.{tag_names.SEARCH}",
        "useGroupedValuesInCharts": False,
        "runsHiddenMode": "SHOW_ALL",
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`", "attributes.`Created`", *columns],
        "columnWidths": {"attributes.`Run Name`": 270, **dict.fromkeys(metrics, 185)},
    }


def _charts(objectives: Sequence[Objective], hyperparameters: Sequence[str]) -> dict[str, Any]:
    charts = [
        _card(
            f"parallel-{index}",
            {
                "type": "PARALLEL",
                "selectedParams": list(hyperparameters),
                "selectedMetrics": [objective.metric],
                "showAllRuns": True,
            },
        )
        for index, objective in enumerate(objectives)
    ]
    if len(objectives) > 1:
        first, second = ({"key": each.metric, "type": "METRIC"} for each in objectives[:2])
        charts.insert(0, _card("front", {"type": "SCATTER", "xaxis": first, "yaxis": second}))
    section = {"uuid": "twentieth", "name": "Trials of all searches", "display": True}
    return {
        "compareRunCharts": charts,
        "compareRunSections": [section | UNTOUCHED | {"isReordered": False}],
    }


def _card(name: str, chart: Mapping[str, Any]) -> dict[str, Any]:
    place = {"uuid": f"twentieth-{name}", "metricSectionId": "twentieth"}
    return {**place, **UNTOUCHED, "runsCountToCompare": RUNS_DRAWN, **chart}


def _searches() -> dict[str, Any]:
    columns = [
        "attributes.`Description`",
        f"tags.`{tag_names.STATE}`",
        f"tags.`{tag_names.BUDGET}`",
        f"tags.`{tag_names.WARM}`",
    ]
    return {
        "searchFilter": f"tags.`{tag_names.KIND}` = 'search'",
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`", "attributes.`Created`", *columns],
        "columnWidths": {"attributes.`Run Name`": 270, columns[0]: 640},
    }
