"""Saved views of the MLflow page, and the links that open them.

Of itself MLflow 3.17 lands on an overview of GenAI traces, shows no objectives, draws ten runs and
one chart for every metric. A view saved as an experiment tag is listed in the page's Views menu and
opened by a link; the links stand in the experiment's description and in what `twentieth ui` prints.
The format was read from the page's requests and code, it is not documented; a page that does not
know it ignores the tag. Nothing reads a view back.
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
# Key of a view -> its title in the page, and whether it opens as charts.
VIEWS = {
    "trials": ("Trials by search", False),
    "charts": ("Objectives over epochs", True),
    "front": ("Pareto front", True),
    "searches": ("Searches and verdicts", False),
}
# The description of an experiment begins so unless somebody wrote their own.
OURS = "**Twentieth**: "
# An experiment's tag holds 5,000 characters, and nobody reads wider tables.
HYPERPARAMETERS_SHOWN = 6
# MLflow's default is ten.
RUNS_DRAWN = 100
# The sections in which MLflow draws all other metrics by itself; closed, they are one click away.
OTHERS = "Model metrics"
OBJECTIVES = tag_names.OBJECTIVE.rstrip("/")
# Flags of a chart or section that nobody changed in the page.
UNTOUCHED = {"deleted": False, "isGenerated": False}


def write_views(
    client: MlflowClient,
    experiment: str,
    objectives: Sequence[Objective],
    hyperparameters: Sequence[str],
) -> None:
    """Saves the views of an experiment, and links to them in its description.

    Args:
        client: a client of the store.
        experiment: the id of the experiment.
        objectives: the search's objectives, primary first.
        hyperparameters: names to show as columns, best those that every trial has.
    """
    shown = list(hyperparameters)[:HYPERPARAMETERS_SHOWN]
    names = tag_names.objective_names(each.metric for each in objectives)
    curves, table = [_curve(name) for name in names.values()], _trials(objectives, names, shown)
    states = {
        "trials": table,
        "charts": table | _charts({VIEWS["charts"][0]: curves}, closed=[OTHERS]),
        "front": table | _charts(_front(names, shown), closed=[OBJECTIVES, OTHERS]),
        "searches": _searches(objectives),
    }
    from mlflow.exceptions import MlflowException

    now, tags = int(time.time() * 1000), {}
    for key, state in states.items():
        title = VIEWS[key][0]
        view = {"name": title, "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
        tags[TAG + key] = json.dumps(view)
    if client.get_experiment(experiment).tags.get(tag_names.NOTE, OURS).startswith(OURS):
        tags[tag_names.NOTE] = _description(experiment)
    for tag, text in tags.items():
        # It is too long, or another first search writes the same tag now, which MLflow's SQLite
        # answers with an integrity error. A search needs none of them.
        with contextlib.suppress(MlflowException):
            client.set_experiment_tag(experiment, tag, text)


def links(client: MlflowClient, address: str) -> dict[str, dict[str, str]]:
    """Returns experiment name -> title -> URL of its views, on the page at `address`."""
    return {
        experiment.name: _links(f"{address}/", experiment.experiment_id)
        for experiment in all_experiments(client)
        if TAG + "trials" in experiment.tags
    }


def _links(page: str, experiment: str) -> dict[str, str]:
    runs = f"{page}#/experiments/{experiment}/runs?workflowType=machine_learning"
    return {
        title: f"{runs}&viewStateShareKey=twentieth-{key}" + "&compareRunsMode=CHART" * is_chart
        for key, (title, is_chart) in VIEWS.items()
    }


def _description(experiment: str) -> str:
    """Returns Markdown; its links are relative, as the server's address differs by reader."""
    listed = " · ".join(f"[{title}]({url})" for title, url in _links("", experiment).items())
    return (
        f"{OURS}{listed}\n\n"  # the page shows the first line, and the others on a click
        "One run is a trial or a search. Trials have the colour of their search; grey ones were "
        f"stopped by the scheduler, red ones failed. `{tag_names.OBJECTIVE}*` is the newest value "
        "of an objective: the final one of a complete trial, and of any other trial that of its "
        f"last epoch, as the scheduler compares it. `{tag_names.TOTAL}*` are the numbers of a "
        "search as a whole."
    )


def _trials(
    objectives: Sequence[Objective], names: Mapping[str, str], hyperparameters: Sequence[str]
) -> dict[str, Any]:
    metrics = [f"metrics.`{name}`" for name in names.values()]
    columns = [
        *metrics,
        f"tags.`{tag_names.STATE}`",
        f"tags.`{tag_names.EPOCH}`",
        f"tags.`{tag_names.STEP}`",
        *(f"params.`{name}`" for name in hyperparameters),
    ]
    aggregate = {"maximize": "max", "minimize": "min"}[objectives[-1].direction]
    return {
        "searchFilter": f"tags.`{tag_names.KIND}` = 'trial'",
        "orderByKey": metrics[-1],
        "orderByAsc": not objectives[-1].is_maximized,
        "groupBy": f"tag.{aggregate}.{tag_names.SEARCH}",
        "useGroupedValuesInCharts": False,
        "runsHiddenMode": "SHOW_ALL",
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`", "attributes.`Created`", *columns],
        "columnWidths": {"attributes.`Run Name`": 310, **_widths(columns)},
    }


def _widths(columns: Sequence[str]) -> dict[str, int]:
    """Returns column -> pixels in which its name fits."""
    return {column: 7 * len(column.split("`")[1]) + 30 for column in columns}


def _charts(
    sections: Mapping[str, Sequence[Mapping[str, Any]]], closed: Sequence[str]
) -> dict[str, Any]:
    """Returns sections with their charts, title -> charts, and empty closed ones below them."""
    titles = {
        # In MLflow's three columns the labels of a chart overlap; a plot of many axes needs a row.
        title: {"display": True, "columns": 1 if _is_wide(charts) else 2}
        for title, charts in sections.items()
    } | {title: {"display": False} for title in closed}
    return {
        "compareRunCharts": [
            {
                "uuid": f"twentieth-{title}-{index}",
                "metricSectionId": f"twentieth-{title}",
                "runsCountToCompare": RUNS_DRAWN,
                **UNTOUCHED,
                **chart,
            }
            for title, charts in sections.items()
            for index, chart in enumerate(charts)
        ],
        "compareRunSections": [
            {"uuid": f"twentieth-{title}", "name": title, "isReordered": False, **UNTOUCHED, **how}
            for title, how in titles.items()
        ],
        "isAccordionReordered": True,  # else MLflow sorts the sections by name
    }


def _is_wide(charts: Sequence[Mapping[str, Any]]) -> bool:
    return any(chart["type"] == "PARALLEL" for chart in charts)


def _curve(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE", "metricKey": metric, "selectedMetricKeys": [metric],
        "displayName": metric, "xAxisKey": "step", "yAxisKey": "metric", "yAxisExpressions": [],
        "selectedXAxisMetricKey": "", "xAxisScaleType": "linear", "scaleType": "linear",
        "range": {}, "lineSmoothness": 0, "ignoreOutliers": False, "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }  # fmt: skip


def _front(
    names: Mapping[str, str], hyperparameters: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Returns two scatter plots, the first of complete trials alone, and the hyperparameters."""
    pairs = [list(metrics)[:2] for metrics in (names, names.values())] if len(names) > 1 else []
    scatters = [
        {
            "type": "SCATTER",
            "xaxis": {"key": first, "type": "METRIC"},
            "yaxis": {"key": second, "type": "METRIC"},
        }
        for first, second in pairs
    ]
    parallels = [
        {
            "type": "PARALLEL",
            "selectedParams": list(hyperparameters),
            "selectedMetrics": [metric],
            "showAllRuns": True,
        }
        for metric in names
    ]
    fronts = {VIEWS["front"][0]: scatters} if scatters else {}
    return fronts | {"Hyperparameters": parallels}


def _searches(objectives: Sequence[Objective]) -> dict[str, Any]:
    totals = ["hypervolume", "share_of_best_known", *(f"best.{each.metric}" for each in objectives)]
    columns = [
        *(f"metrics.`{tag_names.TOTAL}{name}`" for name in totals),
        f"tags.`{tag_names.STATE}`",
        # The page cuts a description at 40 characters.
        f"tags.`{tag_names.VERDICT}`",
    ]
    return {
        "searchFilter": f"tags.`{tag_names.KIND}` = 'search'",
        "selectedColumns": columns,
        "columnOrder": ["attributes.`Run Name`", "attributes.`Created`", *columns],
        "columnWidths": {"attributes.`Run Name`": 250, **_widths(columns), columns[-1]: 900},
    }
