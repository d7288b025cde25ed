"""Searches from Python: what `search.run`, `resume`, `preview` and `show` do.

The same steps as the command line's. Mistakes are exceptions, never SystemExit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.networks.own_code import PREFIX, PassedCode
from models.networks.passed_code import pass_code
from search import pipeline
from search.history import Trial
from search.history.provenance import provenance_text, read_origin
from search.optimize.hooks import call_hook
from search.optimize.plan import Plan
from search.optimize.process import log_tail
from search.session.result import Preview, Result, read_result
from search.session.screen import RESULTS, default_uri, quiet_libraries, say
from search.session.watch import admit_to, has_complete_trials, is_left, report, watch
from search.spec import Spec, load_changed
from search.spec.own_code import Allowed
from search.tracking.read.history import load_history

# A spec file, the data of one, or a checked spec.
AnySpec = str | Path | Mapping[str, Any] | Spec
# A function of the user's, or its reference `python:module:function`.
OwnFunction = Callable[..., Any] | str


class SearchFailed(RuntimeError):
    """A search that ended without a result; the message says why, and the fix.

    Attributes:
        search: Its id: what it has stored is read by `search.show`, and `search.resume` goes on.
    """

    def __init__(self, search: str, message: str) -> None:
        super().__init__(f"{search}: {message}")
        self.search = search


def run(
    spec: AnySpec,
    train: OwnFunction | None = None,
    network: OwnFunction | None = None,
    *,
    trials: int | None = None,
    tracking_uri: str | None = None,
    results: str | Path | None = None,
    address: str | None = None,
    share_cores: bool = False,
    on_trial_end: Callable[[Trial], object] | None = None,
    on_search_end: Callable[[Result], object] | None = None,
    **overrides: Any,
) -> Result:
    """Run a search: review, extract, apply, optimize, transfer.

    It works in a script, which needs no main guard, and in a notebook. Ctrl-C, or interrupting the
    cell, settles the running trials and returns a result whose state is "interrupted"; a second one
    kills the search and raises KeyboardInterrupt. `resume` goes on after both.

    Args:
        spec: A YAML file, a dict with the same keys, or a `Spec`.
        train: Your training function, for `task.train`; see `docs/bring_your_own.md`. One that a
            script or a notebook defines travels by value to this search's workers, and is not
            stored.
        network: Your function that builds the network, for `task.network`.
        trials: Run exactly so many trials: `budget={"trials": ..., "stop": "never"}`.
        tracking_uri: An MLflow store or server; by default MLFLOW_TRACKING_URI, or
            results/mlflow.db.
        results: The folder for reports and checkpoints; all nodes of a cluster must share it.
        address: A running Ray cluster: "auto" or host:port; inside of a Ray job "auto".
        share_cores: Do not wait for cores that other searches on this machine hold.
        on_trial_end: Called in this process with each `Trial` that is complete, stopped or failed.
            What it raises is printed, and the search goes on.
        on_search_end: Called with the result before it is returned.
        overrides: Keys of the spec and their new values. A mapping changes the keys that it names
            and keeps the others: `seed=1, budget={"epochs": 4}, history={"enabled": False}`.
            `first=[...]` lists configurations to try before all others.

    Raises:
        SpecError: The spec has mistakes; holds all of them.
        SearchFailed: The search could not run to its end, or no trial is complete.
        ValueError: The data, the pretrained model or the function cannot be used.
        ConnectionError: The store, or the cluster, does not answer.
        KeyboardInterrupt: The user interrupted it twice.
    """
    checked, passed = _checked(spec, train, network, trials, overrides)
    uri, folder = _places(tracking_uri, results)
    say(f"review    reading {'the history of ' * checked.history.enabled}{uri}")
    admit_to(address)
    with quiet_libraries():
        prepared = pipeline.prepare(checked, uri, say=say, passed=passed)
        plan = pipeline.new_plan(prepared, uri, folder / "storage", address, say)
    plan = replace(plan, share_cores=share_cores)
    return _follow(plan, [], folder, on_trial_end, on_search_end)


def resume(
    search: str | Result,
    train: OwnFunction | None = None,
    network: OwnFunction | None = None,
    *,
    trials: int = 0,
    hours: float | None = None,
    changed_code: bool = False,
    tracking_uri: str | None = None,
    results: str | Path | None = None,
    address: str | None = None,
    share_cores: bool = False,
    on_trial_end: Callable[[Trial], object] | None = None,
    on_search_end: Callable[[Result], object] | None = None,
) -> Result:
    """Continue an interrupted search, or extend a finished one.

    Args:
        search: A search's id or name, an unambiguous beginning, or a result.
        train: The training function, if the search has one of yours: what a store names is not run
            unless you pass it, and what a notebook defined is not stored.
        network: The function that builds the network, likewise.
        trials: The number of trials to add to its budget.
        hours: The time limit of this run.
        changed_code: Whether to go on although the source of the function has changed, because its
            results stay comparable.
        tracking_uri: As for `run`; that of the result, if `search` is one.
        results: As for `run`; that of the result, if `search` is one.
        address: As for `run`.
        share_cores: As for `run`.
        on_trial_end: As for `run`.
        on_search_end: As for `run`.

    Raises:
        LookupError: There is no such search, or several.
        PermissionError: The function is missing, or its source has changed.
        SearchIsAlive: Another process runs it.
        SearchFailed, ValueError, ConnectionError, KeyboardInterrupt: As `run`.
    """
    name, uri, folder = _known(search, tracking_uri, results)
    say(f"review    reading the history of {uri}")
    admit_to(address)
    _, reference, passed = _own_code(train, network)
    allowed = Allowed(reference or None, changed_code, passed)
    with quiet_libraries():
        plan = pipeline.resumed_plan(
            name, uri, more_trials=trials, hours=hours, address=address, allowed=allowed, say=say
        )
    own = load_history(uri, searches=[plan.search]).prior_trials(state=None)
    plan = replace(plan, share_cores=share_cores)
    return _follow(plan, own, folder, on_trial_end, on_search_end)


def preview(
    spec: AnySpec,
    train: OwnFunction | None = None,
    network: OwnFunction | None = None,
    *,
    trials: int | None = None,
    tracking_uri: str | None = None,
    **overrides: Any,
) -> Preview:
    """Check a spec, and return what history says about it and what would be tried first.

    Nothing is run or stored. The arguments are those of `run`, and so are the exceptions.
    """
    checked, passed = _checked(spec, train, network, trials, overrides)
    lines: list[str] = []
    with quiet_libraries():
        prepared = pipeline.prepare(
            checked, tracking_uri or default_uri(), say=lines.append, lines_shown=None,
            passed=passed,
        )  # fmt: skip
    names = prepared.history.trial_names()
    return Preview(
        prepared.task, tuple(lines),
        tuple(dict(each.configuration) for each in prepared.proposals),
        tuple(provenance_text(read_origin(each.origin), names) for each in prepared.proposals),
        prepared.experience, tuple(prepared.history.rejected),
    )  # fmt: skip


def show(
    search: str | Result, tracking_uri: str | None = None, results: str | Path | None = None
) -> Result:
    """Return a search of the store as it is now; another process may run it.

    Args:
        search: A search's id or name, an unambiguous beginning, or a result.
        tracking_uri: As for `run`; that of the result, if `search` is one.
        results: The folder with the reports; that of the result, if `search` is one.

    Raises:
        LookupError: There is no such search, or several.
        ConnectionError: The store does not answer.
    """
    return read_result(*_known(search, tracking_uri, results))


def _follow(
    plan: Plan,
    own: Sequence[Trial],
    results: Path,
    on_trial_end: Callable[[Trial], object] | None,
    on_search_end: Callable[[Result], object] | None,
) -> Result:
    """Runs a plan; returns the search as it then is."""
    answer, stops = watch(plan, own, again="interrupt", on_trial_end=on_trial_end)
    again = f"continue with: search.resume({plan.search!r})"
    if is_left(answer, stops):
        raise KeyboardInterrupt(f"{plan.search} was killed; {again}")
    if answer.status != "done":
        hint = f"\n{log_tail(plan.storage)}" if answer.status in ("failed", "died") else ""
        raise SearchFailed(plan.search, f"{answer.message}; {again}{hint}")
    try:
        place, verdict = report(plan, results)
        say(f"transfer  {verdict}\n          {place / 'report.md'}")
    except OSError as error:
        fix = f"fix: twentieth report {plan.search}"
        say(f"all trials are stored, but the report could not be written: {error}; {fix}")
    if answer.state == "failed":
        raise SearchFailed(plan.search, f"{answer.message}; {again}")
    if answer.state != "complete":
        say(f"          {answer.state}; {again}")
    elif not stops and not has_complete_trials(plan):
        fix = f"search.show({plan.search!r}).trials has their states"
        raise SearchFailed(plan.search, f"no trial is complete; {fix}")
    result = read_result(plan.search, plan.tracking_uri, results)
    call_hook("on_search_end", on_search_end, result, say)
    return result


def _checked(
    spec: AnySpec,
    train: OwnFunction | None,
    network: OwnFunction | None,
    trials: int | None,
    overrides: Mapping[str, Any],
) -> tuple[Spec, PassedCode | None]:
    key, reference, passed = _own_code(train, network)
    budget = {} if trials is None else {"budget.trials": trials, "budget.stop": "never"}
    trained = f"{key}={reference}" if key else ""
    return load_changed(spec, {**overrides, **budget}, trained), passed


def _own_code(
    train: OwnFunction | None, network: OwnFunction | None
) -> tuple[str, str, PassedCode | None]:
    """Returns the key of the task, the reference, and what travels by value."""
    given = {key: own for key, own in (("train", train), ("network", network)) if own is not None}
    if not given:
        return "", "", None
    if len(given) > 1:
        raise ValueError("both train and network are given; fix: pass one")
    ((key, own),) = given.items()
    if isinstance(own, str):
        return key, PREFIX + own.removeprefix(PREFIX), None
    found = pass_code(own)
    return (key, found, None) if isinstance(found, str) else (key, found.reference, found)


def _places(tracking_uri: str | None, results: str | Path | None) -> tuple[str, Path]:
    return tracking_uri or default_uri(), Path(results) if results is not None else RESULTS


def _known(
    search: str | Result, tracking_uri: str | None, results: str | Path | None
) -> tuple[str, str, Path]:
    """Returns the name of a search and where it is kept: where its result says, if it is one."""
    if isinstance(search, Result):
        return search.search, tracking_uri or search.tracking_uri, Path(results or search.results)
    return (search, *_places(tracking_uri, results))
