"""What `history` and `show` print: searches a line each, one search, one trial explained."""

from __future__ import annotations

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.history import Trial
from search.history.provenance import provenance_text, read_origin
from search.tracking.read.history import read_history
from search.tracking.store import open_client
from search.tracking.summary import Summary, all_summaries, find_summary
from search.transfer.best import TestValue, best_trials, to_yaml, values_on_test
from search.transfer.objective_text import best_in_words, none_keeps
from search.transfer.weights import lineage_in_words, lineage_of


def searches_table(tracking_uri: str) -> Table:
    """Every search of the store, newest last."""
    table = Table(box=None)
    for column in ("search", "task", "state", "trials", "best", "warm-started from"):
        table.add_column(column)
    history = read_history(tracking_uri)
    for summary in all_summaries(open_client(tracking_uri)):
        trials = history.prior_trials(state=None, search=summary.search)
        done = sum(trial.state in ("complete", "stopped", "failed") for trial in trials)
        table.add_row(
            Text(summary.search), Text(summary.task), Text(summary.state),
            f"{done}/{summary.trials_budget}", Text(_best_of_each(trials)),
            str(len(summary.warm_started_from)) + " searches",
        )  # fmt: skip
    return table


def print_search(out: Console, search: str, tracking_uri: str) -> None:
    """One search: states, what its objectives call best, and that as YAML."""
    summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    trials = history.prior_trials(state=None, search=summary.search)
    counts = {state: sum(trial.state == state for trial in trials) for state in _states(trials)}
    _print(out, f"{summary.search}  {summary.state}  task {summary.task}")
    _print(out, "trials: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
    if summary.tags.get("twentieth.verdict"):
        _print(out, summary.tags["twentieth.verdict"])
    for name, weights in summary.initial_weights.items():
        told = lineage_in_words(weights["lineage"])
        _print(out, f"weights of {name} at hand. A trial that takes them: {told}")
    best = best_trials(history, summary.search)
    known = history.searches[summary.search]
    missed = none_keeps(known, best)
    if missed:
        _print(out, missed)
    out.print(_front_table(best, best_in_words(known)))
    for entry in best:
        _print(out, f"\n# trial {entry.number:03d}: {_values(entry)}")
        _print(out, to_yaml(entry).rstrip())
    for trial in trials:
        if trial.state == "failed":
            _print(out, f"failed: trial {trial.number:03d}, run {trial.run_id}: see its reason.txt")


def print_trial(out: Console, search: str, number: int, tracking_uri: str) -> None:
    """One trial: what it tried, what came of it, and why it was tried.

    Raises:
        LookupError: the search has no such trial.
    """
    summary: Summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    found = [
        trial
        for trial in history.prior_trials(state=None, search=summary.search)
        if trial.number == number
    ]
    if not found:
        raise LookupError(f"{summary.search} has no trial {number}")
    trial = found[0]
    _print(out, f"trial {number:03d} of {summary.search}: {trial.state} at epoch {trial.epoch}")
    _print(out, yaml.safe_dump(dict(trial.configuration), sort_keys=False).rstrip())
    for metric, value in zip(trial.metrics, trial.values, strict=False):
        _print(out, f"{metric}: {value:.4f}")
    _print(out, explanation(trial))
    lineage = lineage_of(tracking_uri, trial.run_id)
    if lineage:
        _print(out, lineage)


def explanation(trial: Trial) -> str:
    """Why a trial was tried, in a sentence or two."""
    return provenance_text(read_origin(trial.origin))


def _front_table(best: list[Trial], word: str) -> Table:
    # Longer than the table may be wide: on one line all the same.
    text = f"{word} (validation; test where measured)"
    title = Text(text, no_wrap=True, overflow="ignore")
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("trial")
    for metric in best[0].metrics if best else ():
        table.add_column(Text(metric), justify="right")
        table.add_column("test [95%]", justify="right")
    for entry in best:
        cells, test = [f"{entry.number:03d}"], values_on_test(entry)
        for metric, value in entry.by_metric.items():
            cells += [f"{value:.4f}", _tested(test.get(metric))]
        table.add_row(*cells)
    return table


def _tested(result: TestValue | None) -> str:
    if result is None:
        return ""
    if result.low is None:
        return f"{result.value:.4f}"
    return f"{result.value:.4f} [{result.low:.3f}, {result.high:.3f}]"


def _values(trial: Trial) -> str:
    return ", ".join(f"{metric} {value:.4f}" for metric, value in trial.by_metric.items())


def _states(trials: list[Trial]) -> list[str]:
    return sorted({trial.state for trial in trials})


def _best_of_each(trials: list[Trial]) -> str:
    complete = [trial for trial in trials if trial.values]
    if not complete:
        return "-"
    best = []
    for index, objective in enumerate(complete[0].objectives):
        pick = max if objective.is_maximized else min
        best.append(f"{pick(trial.values[index] for trial in complete):.4f}")
    return " / ".join(best)


def _print(out: Console, text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)
