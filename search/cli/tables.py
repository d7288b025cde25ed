"""What `history` and `show` print: a table of searches, one search, or one trial.

Nothing is cut on a narrow terminal: ids stay on one line, so that they can be copied.
"""

from __future__ import annotations

from collections import Counter

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.history import Trial
from search.history.plurals import counted
from search.history.provenance import provenance_text, read_origin
from search.tracking import tag_names
from search.tracking.read.history import read_history
from search.tracking.store import open_client
from search.tracking.summary import all_summaries, find_summary, note_of
from search.transfer.best import best_trials, to_yaml, values_on_test
from search.transfer.inherited_weights import lineage_in_words, lineage_of
from search.transfer.objective_text import best_in_words, none_keeps, value_text


def searches_table(tracking_uri: str) -> Table:
    """A table of every search of the store, newest last."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for column in ("search", "task", "state", "trials", "best", "learned from"):
        table.add_column(column, overflow="fold", no_wrap=column in ("search", "task"))
    history = read_history(tracking_uri)
    for summary in all_summaries(open_client(tracking_uri)):
        trials = history.prior_trials(state=None, search=summary.search)
        done = sum(trial.state in ("complete", "stopped", "failed") for trial in trials)
        table.add_row(
            Text(summary.search), Text(summary.task), Text(summary.state),
            f"{done}/{summary.trials_budget}", Text(_best_of_each(trials)),
            counted(len(summary.warm_started_from), "search", "searches"),
        )  # fmt: skip
    return table


def print_search(out: Console, search: str, tracking_uri: str) -> None:
    """Prints one search: its states, its verdict, and its best trials with their YAML."""
    summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    trials = history.prior_trials(state=None, search=summary.search)
    counts = sorted(Counter(trial.state for trial in trials).items())
    _print(out, f"{summary.search}  {summary.state}  task {summary.task}")
    _print(out, "trials: " + ", ".join(f"{count} {state}" for state, count in counts))
    if summary.tags.get(tag_names.VERDICT):
        _print(out, summary.tags[tag_names.VERDICT])
    if note := note_of(summary.tags):
        _print(out, f"note: {note}")
    for name, weights in summary.initial_weights.items():
        lineage = lineage_in_words(weights["lineage"])
        _print(out, f"trials may start from the weights of {name}. Such a trial: {lineage}")
    best = best_trials(history, summary.search)
    known = history.searches[summary.search]
    missed = none_keeps(known, best)
    if missed:
        _print(out, missed)
    out.print(_best_table(best, best_in_words(known)))
    for entry in best:
        values = ", ".join(f"{metric} {value_text(v)}" for metric, v in entry.by_metric.items())
        _print(out, f"\n# trial {entry.number:03d}: {values}")
        _print(out, to_yaml(entry).rstrip())
    for trial in trials:
        if trial.state == "failed":
            _print(out, f"failed: trial {trial.number:03d}, see reason.txt of run {trial.run_id}")


def print_trial(out: Console, search: str, number: int, tracking_uri: str) -> None:
    """Prints one trial: its configuration, its results, and why it was proposed.

    Raises:
        LookupError: the search has no such trial.
    """
    summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    trials = history.prior_trials(state=None, search=summary.search)
    trial = next((trial for trial in trials if trial.number == number), None)
    if trial is None:
        raise LookupError(f"{summary.search} has no trial {number}")
    _print(out, f"trial {number:03d} of {summary.search}: {trial.state} at epoch {trial.epoch}")
    _print(out, yaml.safe_dump(dict(trial.configuration), sort_keys=False).rstrip())
    for metric, value in trial.by_metric.items():
        _print(out, f"{metric}: {value_text(value)}")
    _print(out, provenance_text(read_origin(trial.origin)))
    lineage = lineage_of(tracking_uri, trial.run_id)
    if lineage:
        _print(out, lineage)


def _best_table(best: list[Trial], word: str) -> Table:
    # A long title stays on one line, even if the table is narrower.
    text = f"{word} (on validation, and on test where measured)"
    title = Text(text, no_wrap=True, overflow="ignore")
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=True
    )
    table.add_column("trial")
    for metric in best[0].metrics if best else ():
        two_lines = Text(metric.replace(".", ".\n", 1))
        table.add_column(two_lines, justify="right", overflow="fold")
        table.add_column("test (95 %)", justify="right", no_wrap=True)
    for entry in best:
        cells, test = [f"{entry.number:03d}"], values_on_test(entry)
        for metric, value in entry.by_metric.items():
            cells += [value_text(value), str(test.get(metric, ""))]
        table.add_row(*cells)
    return table


def _best_of_each(trials: list[Trial]) -> str:
    complete = [trial for trial in trials if trial.values]
    if not complete:
        return "-"
    best = []
    for index, objective in enumerate(complete[0].objectives):
        pick = max if objective.is_maximized else min
        best.append(value_text(pick(trial.values[index] for trial in complete)))
    return " / ".join(best)


def _print(out: Console, text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)
