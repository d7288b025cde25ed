"""Writes the report of a search from what was read back from the store, and from nothing else.

So it can be written again, anywhere, from MLflow alone. Not for publishing it there: that is for
whoever calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from search.experience import Experience
from search.extract.importance import importance_in
from search.extract.measurements import measure
from search.history import History, Search
from search.transfer.best import best_trials
from search.transfer.costs import cost_of
from search.transfer.curves import draw_curves, draw_importance
from search.transfer.interactive import write_interactive
from search.transfer.lessons import agreements_with
from search.transfer.markdown import Contents, render
from search.transfer.pictures import draw_history, draw_pareto
from search.transfer.progress import find_search, trials_of
from search.transfer.table import flat_table
from search.transfer.verdict import Verdict, verdict


@dataclass(frozen=True)
class Report:
    """What was written: the folder, the names of the files in it, and the verdict."""

    folder: Path
    files: tuple[str, ...]
    verdict: Verdict


def write_report(
    history: History,
    search: str,
    folder: Path,
    *,
    spec_yaml: str,
    environment: Mapping[str, str],
    summary: Mapping[str, str],
    experience: Experience | None = None,
    appendix: str = "",
) -> Report:
    """Writes report.md, pictures, tables and verdict of a search into a folder.

    Files of an earlier report in the folder are replaced; other files are left alone. A picture
    with nothing to show is not written.

    Args:
        history: The trials of this search and the earlier ones.
        search: Id of the search.
        folder: Made if it is not there.
        spec_yaml: The spec as it was run.
        environment: Part -> version, of what the result depends on.
        summary: More facts on what was searched, name -> text; `command` is how to reproduce it.
        experience: What history had taught when the search started; None if it is not known.
        appendix: Further sections, in Markdown.

    Raises:
        ValueError: History does not know the search.
        OSError: The folder cannot be written.
    """
    this = find_search(history, search)
    folder.mkdir(parents=True, exist_ok=True)
    judged = verdict(history, search, cost_of(spec_yaml))
    shares = _shares(history, this)
    if experience is not None:
        found = agreements_with(history, this, experience)
        experience = replace(experience, agreements=found)
    texts = {
        "verdict.json": judged.to_json() + "\n",
        "environment.json": json.dumps(dict(environment), indent=2, sort_keys=True) + "\n",
        **({} if experience is None else {"experience.json": experience.to_json() + "\n"}),
        "spec.yaml": spec_yaml,
    }
    pq.write_table(flat_table(history, search), folder / "trials.parquet")
    files = (*_draw(history, search, shares, folder), "trials.parquet", *texts)
    contents = replace(
        _contents(history, this, judged, shares),
        files=files, environment=environment, summary=summary, experience=experience,
    )  # fmt: skip
    for name, text in {**texts, "report.md": render(contents) + appendix}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Report(folder, ("report.md", *files), judged)


def _contents(
    history: History, this: Search, judged: Verdict, shares: Mapping[str, Mapping[str, float]]
) -> Contents:
    trials = history.prior_trials(state=None, search=this.id)
    best = best_trials(history, this.id)
    return Contents(
        search=this,
        trials=sorted(trials, key=lambda each: each.number),
        best=best,
        verdict=judged,
        key_hyperparameters=_key_hyperparameters(shares, [each.configuration for each in best]),
    )


def _draw(
    history: History, search: str, shares: Mapping[str, Mapping[str, float]], folder: Path
) -> list[str]:
    """Draws all pictures; returns the names of those that had something to show."""
    is_drawn = {
        "pareto.png": draw_pareto(history, search, folder / "pareto.png"),
        "history.png": draw_history(history, search, folder / "history.png"),
        "importance.png": draw_importance(shares, search, folder / "importance.png"),
        "curves.png": draw_curves(history, search, folder / "curves.png"),
        "interactive.html": write_interactive(history, search, shares, folder / "interactive.html"),
    }
    for name, is_there in is_drawn.items():
        if not is_there:
            (folder / name).unlink(missing_ok=True)  # of an earlier report
    return [name for name, is_there in is_drawn.items() if is_there]


def _shares(history: History, this: Search) -> dict[str, dict[str, float]]:
    """Objective -> hyperparameter -> share of its variation in this search alone."""
    if this.space is None:
        return {}
    trials = trials_of(history, this.id)
    return {
        objective.metric: importance_in(measure(trials, [objective]), this.space)
        for objective in this.objectives
    }


def _key_hyperparameters(
    shares: Mapping[str, Mapping[str, float]], configurations: list[Mapping[str, object]]
) -> list[str]:
    """Those that differ between the best, the most important first."""
    names = {name for configuration in configurations for name in configuration}
    differing = {
        name
        for name in names
        if len({repr(configuration.get(name)) for configuration in configurations}) > 1
    }
    most = {
        name: max((found.get(name, 0.0) for found in shares.values()), default=0.0)
        for name in names
    }
    return sorted(differing or names, key=lambda name: (-most[name], name))
