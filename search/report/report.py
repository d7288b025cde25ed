"""Writes the report of a search from the store alone.

So it can be written again on any machine that reaches the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq

from search.experience import Agreement, Experience
from search.extract import agreements
from search.extract.importance import importance_in
from search.extract.objective_matrix import objective_matrix
from search.history import History, Search
from search.history.other_code import apart
from search.report.explanations import copy_explanations, explanations_section
from search.report.flat_table import flat_table
from search.report.front_of_three import draw_front_of_three
from search.report.held_out import held_out_section
from search.report.interactive import write_interactive
from search.report.markdown import Contents, Stored, render
from search.report.pareto_plot import draw_pareto
from search.report.plots import draw_curves, draw_history, draw_importance
from search.report.robustness_plot import draw_robustness
from search.report.robustness_section import PICTURE, robustness_section
from search.report.robustness_values import (
    ConfirmedTrial,
    EvaluatedTrial,
    confirmed_trials,
    evaluated_trials,
)
from search.report.style import save
from search.report.tables import TRIALS_SHOWN, tables_section
from search.review import reconcile, reconcile_for
from search.spec import Spec, SpecError, spec_from_yaml
from search.spec.load import history_settings, is_of_a_function
from search.tracking import tag_names
from search.tracking.artifacts import (
    artifacts_away,
    fetched_explanations,
    read_robustness,
    read_tables,
    read_text,
)
from search.tracking.read.history import load_history
from search.tracking.runs import FOREIGN
from search.tracking.store import open_client
from search.tracking.summary import all_summaries, find_summary, publish_files, publish_totals
from search.tracking.write.refusals import refused_lines
from search.transfer.best import best_trials
from search.transfer.cost_outcome import cost_lines
from search.transfer.costs import cost_of
from search.transfer.examples import validation_examples
from search.transfer.progress import alike_searches, find_search, trials_of
from search.transfer.totals import Totals, totals
from search.transfer.verdict import Verdict, verdict

# The most similar searches; a table of a hundred rows is not read.
SEARCHES_COMPARED = 20


@dataclass(frozen=True)
class Report:
    """A written report: its folder, the names of the files in it, the verdict and the totals."""

    folder: Path
    files: tuple[str, ...]
    verdict: Verdict
    totals: Totals


def write_report(history: History, search: str, folder: Path, stored: Stored) -> Report:
    """Writes report.md, plots, tables and verdict of a search into a folder.

    Files of an earlier report in the folder are replaced; other files are left alone. A plot with
    nothing to show is not written. The folder's parent gets the script of the interactive page.

    Args:
        history: The trials of this search and the earlier ones.
        search: Id of the search.
        folder: The folder; it is created if it does not exist.
        stored: What else the store has of it.

    Raises:
        ValueError: history does not contain the search.
        OSError: the folder cannot be written.
    """
    this, cost = find_search(history, search), cost_of(stored.spec_yaml)
    folder.mkdir(parents=True, exist_ok=True)
    best, shares = best_trials(history, search), _shares(history, this)
    evaluated = evaluated_trials(best, stored.robustness)
    confirmed = confirmed_trials(trials_of(history, search), best)
    decided, numbers = verdict(history, search, cost), totals(history, search, cost)
    texts = {
        "verdict.json": decided.to_json() + "\n",
        "environment.json": json.dumps(dict(stored.environment), indent=2, sort_keys=True) + "\n",
    }
    if (taught := stored.experience) is not None:
        found = agreements_with(history, this, taught, _readable(stored.spec_yaml))
        taught = replace(taught, agreements=found)
        stored = replace(stored, experience=taught)
        texts["experience.json"] = taught.to_json() + "\n"
    texts["spec.yaml"] = stored.spec_yaml
    pq.write_table(flat_table(history, search), folder / "trials.parquet")
    drawn = _draw(history, search, shares, folder, evaluated, confirmed)
    copied = copy_explanations(best, stored.explanations, folder)
    files = (*drawn, "trials.parquet", *texts, *chain.from_iterable(copied.values()))
    trials = history.prior_trials(state=None, search=search)
    examples = validation_examples(this, best)
    contents = Contents(
        this, sorted(trials, key=lambda each: each.number), best, decided, numbers, examples,
        stored, robustness_section(evaluated, confirmed, examples, has_picture=PICTURE in drawn),
        held_out_section(best, examples), tables_section(best, stored.tables),
        _key_hyperparameters(shares, [each.configuration for each in best]),
        files, explanations_section(copied),
    )  # fmt: skip
    for name, text in {**texts, "report.md": render(contents)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Report(folder, ("report.md", *files), decided, numbers)


def _draw(
    history: History, search: str, shares: Mapping[str, Mapping[str, float]], folder: Path,
    evaluated: Sequence[EvaluatedTrial], confirmed: Sequence[ConfirmedTrial],
) -> list[str]:  # fmt: skip
    """Draws all plots; returns the names of those that had something to show."""
    plots = {
        "front.png": draw_front_of_three(history, search),
        "pareto.png": draw_pareto(history, search),
        "history.png": draw_history(history, search),
        "importance.png": draw_importance(shares, search),
        "curves.png": draw_curves(history, search),
        PICTURE: draw_robustness(evaluated, confirmed, search),
    }
    page = folder / "interactive.html"
    for name in (*plots, page.name):
        (folder / name).unlink(missing_ok=True)  # of an earlier report
    shown = {name: plot for name, plot in plots.items() if plot is not None}
    for name, plot in shown.items():
        save(plot, folder / name)
    return [*shown, *[page.name] * write_interactive(history, search, shares, page)]


def _shares(history: History, this: Search) -> dict[str, dict[str, float]]:
    """Objective -> hyperparameter -> share of the objective's variation in this search alone."""
    if this.space is None:
        return {}
    trials = trials_of(history, this.id)
    return {
        objective.metric: importance_in(objective_matrix(trials, [objective]), this.space)
        for objective in this.objectives
    }


def _key_hyperparameters(
    shares: Mapping[str, Mapping[str, float]], configurations: list[Mapping[str, object]]
) -> list[str]:
    """The hyperparameters in which the best trials differ, or all, the most important first."""
    names = {name for configuration in configurations for name in configuration}
    differing = {
        name for name in names if len({repr(each.get(name)) for each in configurations}) > 1
    }

    def rank(name: str) -> tuple[float, str]:
        return -max((found.get(name, 0.0) for found in shares.values()), default=0.0), name

    return sorted(differing or names, key=rank)


def _readable(spec_yaml: str) -> Spec | None:
    """A stored spec; None if this version cannot read it, which a report must not fail for."""
    try:
        return spec_from_yaml(spec_yaml)
    except SpecError:
        return None


def agreements_with(
    history: History, this: Search, experience: Experience, spec: Spec | None
) -> tuple[Agreement, ...]:
    """How well each earlier search predicts the order of this one's trials by their values.

    Args:
        history: The trials of this search and of others.
        this: The search.
        experience: What it had learned; only the searches it had learned from are compared.
        spec: Says what it trains, and which trials count; None if that is not known.
    """
    if this.space is None:
        return ()
    compared = {each.id: each.similarity for each in experience.searches[:SEARCHES_COMPARED]}
    earlier = history.only(compared)
    reconciled = (
        reconcile(earlier, this.space, this.objectives)
        if spec is None
        else reconcile_for(spec, earlier, this.space, this.objectives)
    )
    own = history.prior_trials(search=this.id)
    return agreements(reconciled.trials, own, this.space, this.objectives, compared)


def publish_report(search: str, tracking_uri: str, folder: Path) -> tuple[Path, str]:
    """Writes a search's report from the store alone, and publishes it there.

    Returns:
        The report's folder and the verdict in words, with a warning if artifacts are away.
    """
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    settings = history_settings(summary.spec_yaml)
    history = load_history(
        tracking_uri, same_task=settings.same_task,
        task=summary.task if settings.same_task else "", is_new_task=True,
    )  # fmt: skip
    trained = str(summary.fingerprint.get("model", ""))
    history = apart(history, trained, is_function=is_of_a_function(summary.spec_yaml))
    history = history.renamed(settings.rename, settings.rename_metrics)
    place, best = folder / summary.search, best_trials(history, summary.search)
    away = artifacts_away(client, summary.run_id)
    experience = None
    with suppress(ValueError):  # it was not stored, or is damaged
        experience = Experience.from_json(read_text(client, summary.run_id, tag_names.EXPERIENCE))
    with fetched_explanations(client, [each.run_id for each in best]) as explanations:
        stored = Stored(
            summary.spec_yaml, summary.environment, summary.state, summary.ended_because,
            experience,
            tables={each.run_id: read_tables(client, each.run_id) for each in best[:TRIALS_SHOWN]},
            robustness={each.run_id: read_robustness(client, each.run_id) for each in best},
            explanations=explanations,
            refused=refused_lines(summary.tags),
            cost_forecast=cost_lines(history, all_summaries(client), summary.search),
            away=away,
        )  # fmt: skip
        written = write_report(history, summary.search, place, stored)
    numbers = written.totals.as_metrics()
    publish_files(client, summary.run_id, place, written.verdict.sentence, totals=numbers)
    for run_id, share in _other_shares(history, summary.search).items():
        publish_totals(client, run_id, {"share_of_best_known": share})
    said = written.verdict.sentence
    return place, f"{said}\nwarning: {away}" if away else said


def _other_shares(history: History, search: str) -> dict[str, float]:
    """The run of each other search of the task -> its share of the best known, which may be new."""
    others = [
        each
        for each in alike_searches(history, find_search(history, search))
        if each.id != search and each.state != "running" and not each.id.startswith(FOREIGN)
    ]
    shares = {each.run_id: totals(history, each.id).share_of_best_known for each in others}
    return {run_id: share for run_id, share in shares.items() if share is not None}
