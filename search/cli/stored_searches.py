"""The searches and trials of a store as the documents that `history` and `show` print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from models.adversarial.checks.search_warnings import search_warnings
from search.cli.documents import (
    IMPORTED,
    HistoryDocument,
    MeasuredDocument,
    ObjectiveDocument,
    SearchDocument,
    ShowDocument,
    TrialDocument,
    origin_keys,
)
from search.history import History, Search, Trial
from search.history.lineage import lineage_in_words, read_lineage
from search.history.plurals import counted
from search.optimize.plan import LOG
from search.optimize.trial_log import as_printed, log_file
from search.tracking import tag_names
from search.tracking.artifacts import read_text
from search.tracking.imports.stored import imported_searches
from search.tracking.read.history import load_history
from search.tracking.runs import FOREIGN
from search.tracking.store import open_client, trial_runs
from search.tracking.summary import Summary, all_summaries, find_summary
from search.transfer.best import best_trials, values_on_test
from search.transfer.cost_outcome import cost_lines
from search.transfer.costs import Cost, cost_of
from search.transfer.totals import totals


@dataclass(frozen=True)
class Wanted:
    """Which searches `history` lists; all by default.

    Attributes:
        task: The beginning of a task's id.
        state: A state of a search.
        since: When the search started at the earliest, in local time if it has no time zone.
        last: The number of the newest searches to keep.
    """

    task: str = ""
    state: str = ""
    since: datetime | None = None
    last: int | None = None


def stored_searches(tracking_uri: str, wanted: Wanted) -> HistoryDocument:
    """Returns the searches of a store that are wanted, oldest first, imported ones before others.

    Raises:
        ValueError: no search of the store has the state that is wanted; the message lists those
            that there are.
    """
    history, summaries = load_history(tracking_uri), all_summaries(open_client(tracking_uri))
    every = [
        *(_imported_document(history, each) for each in imported_searches(history)),
        *(search_document(history, summary) for summary in summaries),
    ]
    states = sorted({each.state for each in every})
    if wanted.state and states and wanted.state not in states:
        known = ", ".join(states)
        raise ValueError(f"no search is {wanted.state!r}; fix: --state with one of {known}")
    found = [
        each
        for each in every
        if each.task.startswith(wanted.task) and wanted.state in ("", each.state)
    ]
    if wanted.since is not None:
        since = wanted.since.astimezone()
        found = [each for each in found if each.started and each.started.astimezone() >= since]
    return HistoryDocument(tuple(found if wanted.last is None else found[-wanted.last :]))


def runs_of_other_tools(tracking_uri: str) -> str:
    """Returns what a store without a search of ours holds, as a sentence after a space, or ""."""
    searches = load_history(tracking_uri).trials.column("search").to_pylist()
    number = sum(each.startswith(FOREIGN) for each in searches)
    if not number:
        return ""
    return (
        f" {counted(number, 'run')} of other tools can be learned from: "
        "`twentieth review SPEC` says what they are worth to a spec."
    )


def search_document(history: History, summary: Summary) -> SearchDocument:
    """Returns a search and its totals."""
    return _document(
        history, summary.search, cost_of(summary.spec_yaml), task=summary.task, state=summary.state,
        trials_budget=summary.trials_budget, ended_because=summary.ended_because,
        learned_from=summary.warm_started_from,
    )  # fmt: skip


def _imported_document(history: History, search: Search) -> SearchDocument:
    return _document(
        history, search.id, None, task=search.task, state=IMPORTED,
        trials_budget=search.trials_budget, ended_because="", learned_from=(),
    )  # fmt: skip


def _document(history: History, search: str, cost: Cost | None, **stated: Any) -> SearchDocument:
    """Returns what is stated of a search with its totals, if it has a trial."""
    known = history.searches.get(search)
    total = totals(history.only([search]), search, cost) if known is not None else None
    return SearchDocument(
        search=search,
        started=known.started if known else None,
        objectives=tuple(
            ObjectiveDocument(
                each.metric, each.direction, each.role.name, each.role.bound, each.role.tolerance
            )
            for each in (known.objectives if known else ())
        ),
        trials=total.states if total else {},
        best=total.best if total else {},
        trial_seconds=total.trial_seconds if total else 0.0,
        work=total.work if total else 0.0,
        wall_seconds=total.wall_seconds if total else 0.0,
        hours=total.hours if total else None, hours_unit=total.hours_unit if total else "",
        **stated,
    )  # fmt: skip


@dataclass(frozen=True)
class StoredSearch:
    """One search of a store, with its trials.

    Attributes:
        history: All of the store's, since trials name those of other searches.
        summaries: Those of all searches of the store.
        trials: Its trials, by number.
        tags: Run of a trial -> its tags.
    """

    tracking_uri: str
    summary: Summary
    history: History
    summaries: tuple[Summary, ...]
    trials: tuple[Trial, ...]
    tags: Mapping[str, Mapping[str, str]]

    def trial(self, number: int) -> Trial:
        """Returns the trial of this number.

        Raises:
            LookupError: the search has no such trial.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        there = ", ".join(str(each.number) for each in self.trials) or "none yet"
        raise LookupError(f"{self.summary.search} has no trial {number}; it has: {there}")

    @property
    def cost_lines(self) -> list[str]:
        """What it was expected to cost and how that turned out, a sentence each."""
        return cost_lines(self.history, self.summaries, self.summary.search)


def stored_search(tracking_uri: str, search: str) -> StoredSearch:
    """Reads one search.

    Raises:
        LookupError: there is no such search, or several.
    """
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    history = load_history(tracking_uri)
    trials = history.prior_trials(state=None, search=summary.search)
    runs = trial_runs(client, summary.experiment_id, summary.search)
    tags = {run.info.run_id: run.data.tags for run in runs}
    in_order = tuple(sorted(trials, key=lambda trial: trial.number))
    summaries = tuple(all_summaries(client))
    return StoredSearch(tracking_uri, summary, history, summaries, in_order, tags)


def log_of_trial(tracking_uri: str, search: str, number: int) -> str:
    """Returns what the user's own code printed and logged in a trial.

    Raises:
        LookupError: there is no such search or trial, or it has no log here.
    """
    stored = stored_search(tracking_uri, search)
    trial = stored.trial(number)
    file = log_file(Path(stored.tags.get(trial.run_id, {}).get(tag_names.CHECKPOINTS, "")))
    try:
        return as_printed(file.read_bytes().decode(errors="replace"))
    except OSError as error:
        raise LookupError(
            f"trial {number} of {stored.summary.search} has no log at {file}: only a task with "
            "`train:` or `network:` has one, on the storage of its search; fix: run this on a "
            "machine that has that storage"
        ) from error


def show_document(stored: StoredSearch) -> ShowDocument:
    """Returns a search with all of its trials."""
    search = stored.summary.search
    names = stored.history.trial_names()
    return ShowDocument(
        search=search_document(stored.history, stored.summary),
        verdict=stored.summary.tags.get(tag_names.VERDICT, ""),
        cost_forecast=tuple(stored.cost_lines),
        best_trials=tuple(trial.number for trial in best_trials(stored.history, search)),
        trials=tuple(trial_document(stored, trial, names) for trial in stored.trials),
    )


def trial_document(stored: StoredSearch, trial: Trial, names: Mapping[str, str]) -> TrialDocument:
    """Returns one trial; `names` are those of earlier trials, by their runs."""
    tags = stored.tags.get(trial.run_id, {})
    traceback = ""
    if trial.state == "failed":
        traceback = read_text(open_client(stored.tracking_uri), trial.run_id, "reason.txt")
    return TrialDocument(
        trial=f"{stored.summary.search}#{trial.number}", number=trial.number,
        run_id=trial.run_id, state=trial.state, epoch=trial.epoch, seconds=trial.seconds,
        work=trial.work, device=trial.device, started=trial.started,
        configuration=dict(trial.configuration), validation=trial.by_metric,
        test={
            metric: MeasuredDocument(
                found.value, found.low, found.high,
                *((found.examples.count, found.examples.entities) if found.examples else ()),
            )
            for metric, found in values_on_test(trial).items()
        },
        **origin_keys(trial.origin, names),
        lineage=_lineage(tags),
        warnings=tuple(
            f"{each.name} ({each.measured})" for each in search_warnings(trial.last_values)
        ),
        reason=tags.get(tag_names.REASON, ""),
        traceback=traceback,
        log=str(stored.summary.storage / LOG),
    )  # fmt: skip


def _lineage(tags: Mapping[str, str]) -> str:
    """Returns where a trial's initial weights come from; "" if from scratch."""
    try:
        return lineage_in_words(read_lineage(tag_names.joined_tag(tag_names.LINEAGE, tags)))
    except ValueError as error:
        return str(error)
