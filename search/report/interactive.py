"""The interactive page: Optuna's own plots of the search's complete trials, in one HTML file.

All pages load plotly from one file next to their folders: inside each page it would be 4.9 MB a
search, in the results and again in the store. Where that file is missing, as in MLflow's page, the
page says how to open it. Not for stopped trials, which Optuna's plots leave out and the PNG plots
show.

Names and choices are written by users and end up inside a page that runs scripts. Angle brackets
are replaced by ‹ › before plotly sees them, and plotly escapes the rest for JSON in a script.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import plotly.io
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import History, Search, Trial
from search.history.studies import quiet_study
from search.objectives.roles import is_plain
from search.space import SearchSpace, Value
from search.space.restating import restate
from search.transfer.progress import find_search, trials_of

# More branches than this are not drawn, for the page would be too long.
_BRANCHES_SHOWN = 4
# Larger numbers were not assigned by a search of ours, so the gaps are not filled.
_LARGEST_NUMBER = 10_000
_STYLE = (
    "body{font-family:sans-serif;max-width:1100px;margin:1.5em auto;color:#222}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin:2em 0 .3em}p{margin:.3em 0;color:#555}"
)


def write_interactive(
    history: History, search: str, shares: Mapping[str, Mapping[str, float]], path: Path
) -> bool:
    """Writes Pareto front, progress, importance and parallel coordinates as one page.

    Args:
        history: The history with the search.
        search: Id of the search.
        shares: Objective -> (hyperparameter -> share of its variation), as in importance.png.
        path: The HTML file to write; plotly is written to the parent of its folder.

    Returns:
        Whether there was a complete trial to draw; the file is written only then.
    """
    this = find_search(history, search)
    measured = objective_matrix(trials_of(history, search), this.objectives)
    if not len(measured):
        return False
    space = this.space or SearchSpace.from_distributions({})
    figures = [
        *_front(measured, space, this),
        *_histories(measured, space, this),
        *_importances(shares),
        *_parallels(measured, space, this),
    ]
    script = _shared_script(path.parent.parent)
    path.write_text(page(this.id, figures, f"../{script.name}"), encoding="utf-8")
    return True


def _shared_script(folder: Path) -> Path:
    """The file with plotly for all pages below a folder; written if it is not there.

    Its name has plotly's version, so a page keeps the one that it was written for.
    """
    path = folder / f"plotly-{get_plotlyjs_version()}.min.js"
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}.new")  # another search may end right now
        new.write_text(get_plotlyjs(), encoding="utf-8")
        new.replace(path)
    return path


def _front(measured: ObjectiveMatrix, space: SearchSpace, this: Search) -> list[tuple[str, Any]]:
    if not 2 <= len(this.objectives) <= 3:
        return []
    names = [plain(each) for each in this.metrics]
    study = _study(measured, space, this, range(len(names)))
    figure = optuna.visualization.plot_pareto_front(study, target_names=names)
    # Optuna's plot ignores roles.
    roles = "" if is_plain(this.objectives) else ", as if all objectives counted alike"
    return [(f"Pareto front{roles}", figure.update_layout(title_text="", margin_t=40))]


def _histories(
    measured: ObjectiveMatrix, space: SearchSpace, this: Search
) -> list[tuple[str, Any]]:
    # A study of one objective each: only then does Optuna draw the best value so far.
    figures = []
    for index, name in enumerate(map(plain, this.metrics)):
        study = _study(measured, space, this, [index])
        figure = optuna.visualization.plot_optimization_history(study, target_name=name)
        figure.update_layout(title_text="", margin_t=40)
        figures.append((f"{name} over the search", figure))
    return figures


def _importances(shares: Mapping[str, Mapping[str, float]]) -> list[tuple[str, Any]]:
    # Drawn from the values of the report: Optuna's plot would compute them again, without the
    # hyperparameters that only some trials have.
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain(objective),
            "x": list(found.values()),
            "y": [plain(name) for name in found],
        }
        for objective, found in shares.items()
        if found
    ]
    if not bars:
        return []
    layout = {
        "xaxis": {"title": {"text": "share of the variation"}, "tickformat": ".0%"},
        "yaxis": {"autorange": "reversed", "automargin": True},
        "margin": {"t": 40},
    }
    return [("What moved the objectives", {"data": bars, "layout": layout})]


def _parallels(
    measured: ObjectiveMatrix, space: SearchSpace, this: Search
) -> list[tuple[str, Any]]:
    """One plot for each set of active hyperparameters: Optuna draws only what all trials have."""
    branches: dict[tuple[str, ...], list[int]] = {}
    for index, trial in enumerate(measured.trials):
        names = tuple(sorted(_known(trial, space)))
        branches.setdefault(names, []).append(index)
    drawable = [(names, rows) for names, rows in branches.items() if names and len(rows) > 1]
    drawable.sort(key=lambda item: (-len(item[1]), item[0]))
    figures = []
    for names, rows in drawable[:_BRANCHES_SHOWN]:
        part = objective_matrix([measured.trials[index] for index in rows], this.objectives)
        figure = optuna.visualization.plot_parallel_coordinate(
            _study(part, space, this, [0]),
            params=[plain(name) for name in names],
            target_name=plain(this.metrics[0]),
        )
        figure.update_layout(title_text="", margin={"l": 90, "r": 90, "t": 60})
        figures.append((f"Configurations and {plain(this.metrics[0])}, {len(rows)} trials", figure))
    return figures


def _study(
    measured: ObjectiveMatrix, space: SearchSpace, this: Search, columns: Sequence[int]
) -> optuna.Study:
    """A study of the trials with some of their objectives, under their own numbers if possible."""
    study = quiet_study([this.objectives[column] for column in columns])
    trials = {
        trial.number: _trial(trial, space, values[list(columns)].tolist())
        for trial, values in zip(measured.trials, measured.values, strict=True)
    }
    numbers = sorted(trials)
    if 0 <= numbers[0] and numbers[-1] < _LARGEST_NUMBER:
        numbers = list(range(numbers[-1] + 1))
    # Optuna numbers trials as they are added, so a failed one takes the place of each missing one.
    gap = create_trial(state=TrialState.FAIL)
    study.add_trials([trials.get(number, gap) for number in numbers])
    return study


def _trial(trial: Trial, space: SearchSpace, values: Sequence[float]) -> FrozenTrial:
    known = _known(trial, space)
    return create_trial(
        params={plain(name): plain(value) for name, value in known.items()},
        distributions={plain(name): _plain_choices(space.distributions[name]) for name in known},
        values=list(values),
        user_attrs={"run": plain(trial.run_id)},
    )


def _known(trial: Trial, space: SearchSpace) -> Mapping[str, Value]:
    """A trial's configuration in the space, moved inside the distributions as Optuna requires."""
    return restate(space, trial.configuration, moves_inside=True).configuration


def _plain_choices(distribution: BaseDistribution) -> BaseDistribution:
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution([plain(each) for each in distribution.choices])
    return distribution


def plain(value: Any) -> Any:
    """A value of users without markup: in a text, angle brackets become ‹ ›."""
    return value.replace("<", "‹").replace(">", "›") if isinstance(value, str) else value


def page(title: str, figures: Sequence[tuple[str, Any]], script: str) -> str:
    """The page with these figures under their headings; `script` is the path of plotly from it."""
    parts = []
    for index, (heading, figure) in enumerate(figures):
        drawing = plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=False,
            div_id=f"figure-{index}",  # plotly's own id is random
            default_height=480,
            config={"displaylogo": False, "responsive": True},
        )
        parts.append(f"<h2>{html.escape(heading)}</h2>\n{drawing}")
    body = "\n".join(parts)
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<style>{_STYLE}</style>\n<script src="{script}" charset="utf-8"></script></head>'
        f"<body>\n<h1>{name}</h1>\n"
        f'<p id="missing">The plots need {Path(script).name} in the folder above that of this '
        f"page; fix: run <code>twentieth report {name}</code> and open interactive.html in the "
        f"folder that it names, or select the trials in MLflow's page and Compare.</p>\n"
        f'<script>document.getElementById("missing").hidden = "Plotly" in window</script>\n'
        f"<p>Complete trials only; the report's plots also show stopped ones.</p>\n"
        f"{body}\n</body></html>\n"
    )
