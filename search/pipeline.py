"""Pipeline: the five steps composed into one launch of a new search, or of one that is resumed.

The command line calls this. It prints nothing itself; it passes lines to `say`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from models.data.sources import SPLITS
from models.networks.own_code import PassedCode, refuse_hiding
from search.apply import Proposal
from search.apply.ending import may_end_early, revalidation_lines
from search.apply.first_proposals import avoids_failures, first_lines, first_proposals
from search.apply.prior_data import PriorData, prior_data
from search.apply.top_agreement import top_agreements
from search.apply.used_history import UsedHistory, used_history
from search.experience import Experience
from search.extract import learn
from search.extract.describe import lines
from search.extract.failing_regions import failure_line
from search.history import History
from search.history.digest import history_digest
from search.history.other_code import apart
from search.history.plurals import counted
from search.objectives.roles import searched
from search.optimize.compared import with_first_rung
from search.optimize.function_check import check_function
from search.optimize.network_check import check_network
from search.optimize.plan import Plan, require_writable, resolved_storage
from search.optimize.session_folder import require_session_folder
from search.review import Reconciled, reconcile_for
from search.review.fingerprint import fingerprint_of, refuse_changed
from search.space import SearchSpace
from search.spec import HistorySettings, Spec, spec_from_yaml, task_id
from search.spec.own_code import Allowed, require_allowed
from search.spec.sections import Task
from search.tracking.environment import environment
from search.tracking.ownership import refuse_if_alive
from search.tracking.read.history import load_history
from search.tracking.store import NoStore, create_store, ensure_experiment, open_client
from search.tracking.summary import Summary, create_summary, find_summary, tags_of_more_trials
from search.tracking.write.mlflow_views import write_views
from search.transfer.cost_forecast import CostForecast
from search.transfer.cost_outcome import stored_cost_forecast
from search.transfer.inherited_weights import copy_weights, missing_weights
from search.transfer.launch_cost import Known, launch_cost, units_of_searches
from search.transfer.pin_weights import pin

PREVIEWED = 3
# A launch shows the first lines of what was learned; `review` shows all.
LINES_SHOWN = 4


@dataclass(frozen=True)
class Prepared:
    """A spec after review, extract and apply: ready for optimize, nothing written yet."""

    spec: Spec
    space: SearchSpace
    task: str
    fingerprint: Mapping[str, Any]
    history: History
    reconciled: Reconciled
    experience: Experience
    prior: PriorData
    proposals: list[Proposal]
    passed: PassedCode | None = None
    cost: CostForecast | None = None  # None of a search that is resumed: it keeps its first one


def prepare(
    spec: Spec,
    tracking_uri: str,
    *,
    say: Callable[[str], None],
    is_resumed: bool = False,
    lines_shown: int | None = LINES_SHOWN,
    code: str | None = None,
    passed: PassedCode | None = None,
) -> Prepared:
    """Reviews history, extracts what it teaches, and makes the first proposals.

    Args:
        spec: The checked spec.
        tracking_uri: The store with the history.
        say: Called with a few lines about each step.
        is_resumed: Whether to go on, with a line, if the history is not the one that the spec pins,
            and to say nothing of the first trials.
        lines_shown: Number of lines of the experience to show; all if None.
        code: The digest of the user's own code in the fingerprint; None for that of today.
        passed: The user's own function, if a script or a notebook passes it.

    Returns:
        The spec with its history and its initial weights pinned, and what was made of them.

    Raises:
        ConnectionError: the store does not answer.
        LookupError: a trial to start from does not exist.
        ValueError: the data set or the pretrained model cannot be read, the user's own code
            fails its check, the weights of a trial do not fit, or the history is not the one that
            the spec pins.
    """
    refuse_hiding()
    spec, lines_on_weights = pin(spec, tracking_uri)
    _tell(say, "review", lines_on_weights)
    space = spec.search_space()
    fingerprint = _checked_task(spec, code, passed, say)
    task = task_id(fingerprint)
    history = gather(tracking_uri, spec.history, task=task, trained=spec.task, say=say)
    changed = history_change(spec.history, history)
    if changed and not is_resumed:
        raise ValueError(f"{changed}; fix: remove history.digest to learn from what is there now")
    spec = pin_history(spec, history)
    reconciled = reconcile_for(spec, history, space, spec.objectives)
    found = _found(spec, history, reconciled, task)
    _tell(say, "review", [*([changed] if changed else []), found, *reconciled.lines(lines_shown)])
    experience, prior, used = _extracted(spec, space, task, fingerprint, history, reconciled)
    _tell(say, "extract", lines(experience)[:lines_shown])
    if failed := failure_line(reconciled.trials, space, is_avoided=avoids_failures(spec)):
        _tell(say, "extract", [failed])
    if used.unused or set(used.searches) != {each.id for each in experience.searches}:
        _tell(say, "apply", used.lines())
    spec, rung = with_first_rung(spec, reconciled.trials, task, experience.similarities)
    _tell(say, "apply", [rung] if rung else [])
    previewed = min(PREVIEWED, spec.budget.trials - len(spec.first))
    proposals = first_proposals(spec, prior, space, task, previewed)
    if not is_resumed:  # its first trials have begun
        _tell(say, "apply", first_lines(spec, proposals))
        _tell(say, "apply", revalidation_lines(spec, proposals, prior))
    made = Prepared(
        spec, space, task, fingerprint, history, reconciled, experience, prior, proposals, passed
    )
    return made if is_resumed else _with_cost(made, tracking_uri, say)


def _tell(say: Callable[[str], None], step: str, lines: Iterable[str]) -> None:
    for line in lines:
        say(f"{step:10}{line}")


def _extracted(
    spec: Spec, space: SearchSpace, task: str, fingerprint: Mapping[str, Any], history: History,
    reconciled: Reconciled,
) -> tuple[Experience, PriorData, UsedHistory]:  # fmt: skip
    """Extracts what history teaches: in statements, as models of past tasks, and what is used."""
    learned = learn(
        history, space, task=task, fingerprint=fingerprint, objectives=spec.objectives,
        excludes_doubtful=spec.excludes_doubtful,
    )  # fmt: skip
    prior = prior_data(
        reconciled, space, spec.objectives, task=task, similarities=learned.similarities,
        has_models=spec.sampler.name == "warm",
    )  # fmt: skip
    used = used_history(history, reconciled, prior, spec)
    experience = replace(
        learned, fitted=tuple(reconciled.lines()), used=tuple(used.searches), unused=used.unused,
        top_agreements=top_agreements(prior.tasks, space, searched(spec.objectives)),
    )  # fmt: skip
    return experience, prior, used


def _checked_task(
    spec: Spec, code: str | None, passed: PassedCode | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Checks the data and the user's own code; returns the fingerprint of the task."""
    if code is None and passed:
        code = passed.digest
    fingerprint, warnings = fingerprint_of(spec, code)
    _tell(say, "review", [f"data: {warning}" for warning in warnings])
    if spec.task.network:
        say(f"review    checking {spec.task.network}: passes forward and backward")
        check_network(spec, passed)
    elif spec.task.train:
        if data := fingerprint["data"]:
            sizes = ", ".join(f"{data[split]:,} {split}" for split in SPLITS)
            say(f"review    trial.data: {spec.task.data_kind()} of {data['name']}: {sizes}")
        check_function(spec, passed)
    return fingerprint


def _found(spec: Spec, history: History, reconciled: Reconciled, task: str) -> str:
    """Says how much history was found, and how much of it was left out."""
    if not spec.history.enabled:
        return "history is switched off: this search starts cold"
    return (
        f"{counted(len(history), 'trial')} of "
        f"{counted(len(history.searches), 'earlier search', 'earlier searches')}"
        f" ({counted(len(history.prior_trials(task)), 'complete trial')} of this same task),"
        f" {counted(len(history.rejected) + reconciled.left_out.total(), 'run')} left out"
    )


def _with_cost(prepared: Prepared, tracking_uri: str, say: Callable[[str], None]) -> Prepared:
    """Forecasts what the search will cost, and says it."""
    history, proposals = prepared.history, prepared.proposals
    known = Known(history, prepared.prior, prepared.experience, prepared.fingerprint)
    tries = proposals[0].configuration if proposals else None
    units = units_of_searches(tracking_uri) if len(history) else {}
    cost = launch_cost(prepared.spec, known, units, tries)
    _tell(say, "apply", cost.lines())
    return replace(prepared, cost=cost)


def new_plan(
    prepared: Prepared,
    tracking_uri: str,
    storage_root: Path,
    address: str | None,
    say: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Creates the search, and its store if missing; returns the plan for the optimize step.

    Raises:
        LookupError: a trial to start from is gone.
        ValueError: it was trained on examples of this task's validation or test split, Ray has no
            place for its sockets, or nothing can be written in the folder.
    """
    if address is None:
        require_session_folder()
    require_writable(storage_root)
    spec, client = prepared.spec, create_store(tracking_uri)
    search = f"{spec.name}-{datetime.now():%m%d-%H%M}-{secrets.token_hex(2)}"
    experiment = ensure_experiment(
        client, spec.task.name, tracking_uri, lambda text: say(f"apply     {text}")
    )
    storage = resolved_storage(storage_root, search)
    # First, since it may be refused, and then nothing of this search must remain in the store.
    weights = copy_weights(spec, tracking_uri, storage, lambda text: say(f"apply     {text}"))
    summary_run = create_summary(
        client, experiment,
        search=search, task=prepared.task, fingerprint=prepared.fingerprint,
        spec_yaml=spec.to_yaml(), space_json=prepared.space.to_json(),
        objectives=spec.objectives,
        storage=storage, trials_budget=spec.budget.trials,
        numbers={"epochs": spec.budget.epochs, "seed": spec.seed},
        warm_started_from=prepared.experience.used,
        environment=environment(), initial_weights=weights,
        experience_json=prepared.experience.to_json(),
        cost_forecast_json=prepared.cost.to_json() if prepared.cost else "",
    )  # fmt: skip
    always_there = [name for name in prepared.space.distributions if not spec.space[name].when]
    write_views(client, experiment, spec.objectives, always_there)
    return Plan(
        spec=spec, space=prepared.space, task=prepared.task, search=search,
        tracking_uri=tracking_uri, experiment=experiment, summary_run=summary_run,
        storage=storage, trials_budget=spec.budget.trials, hours=spec.budget.hours,
        address=address, prior=prepared.prior, initial_weights=weights, passed=prepared.passed,
        may_end=may_end_early(spec),
    )  # fmt: skip


def pin_history(spec: Spec, history: History) -> Spec:
    """A spec that learns from this history alone, however much is logged later."""
    if not spec.history.enabled:
        return spec
    pinned = {"searches": tuple(sorted(history.searches)), "digest": history_digest(history)}
    return spec.model_copy(update={"history": spec.history.model_copy(update=pinned)})


def history_change(settings: HistorySettings, history: History) -> str:
    """What differs between a history and the one that a spec pins; "" if nothing does."""
    found = history_digest(history) if settings.enabled and settings.digest else settings.digest
    if found == settings.digest:
        return ""
    gone = sorted(set(settings.searches or ()) - history.searches.keys())
    what = f"the store lacks {', '.join(gone)}" if gone else "they have changed since"
    count = counted(len(settings.searches or ()), "earlier search", "earlier searches")
    return (
        f"history.digest = {settings.digest}, but the trials of {count} have the digest {found}: "
        f"{what}"
    )


def resumed_plan(
    search: str,
    tracking_uri: str,
    *,
    more_trials: int,
    hours: float | None,
    address: str | None,
    allowed: Allowed,
    say: Callable[[str], None],
) -> Plan:
    """Makes the plan of a resumed search, from its summary run alone.

    Raises:
        LookupError: there is no such search.
        SearchIsAlive: another process runs it.
        PermissionError: it runs code of the user's that was not allowed, or has changed since.
        ValueError: its data set or its pretrained model has changed since, Ray has no place for its
            sockets, or nothing can be written in its storage.
        FileNotFoundError: the weights that its trials start from are gone.
    """
    if address is None:
        require_session_folder()
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    refuse_if_alive(
        client, summary.run_id, summary.search, "resumed", lambda text: say(f"review    {text}")
    )
    if summary.generation and not summary.storage.exists():
        lost = "trials in flight start again, and what had not reached the store is lost"
        moved = "fix, if it was moved: put it back there first"
        say(f"review    the search's storage {summary.storage} is gone: {lost}; {moved}")
    spec = stored_spec(summary)
    known = summary.fingerprint
    changed = require_allowed(summary.search, spec.task, known, allowed)
    missing = missing_weights(summary)
    if missing:
        raise FileNotFoundError(
            f"the weights that {summary.search} starts from are gone ({missing[0]}); fix: mount "
            f"the folder, or start a new search"
        )
    require_writable(summary.storage)
    budget = summary.trials_budget + more_trials
    # Its spec pins what it started from, so it does not learn from later searches.
    prepared = prepare(
        spec, tracking_uri, say=say, is_resumed=True, code=known.get("code"), passed=allowed.passed
    )
    refuse_changed(summary, prepared.fingerprint)
    forecast = stored_cost_forecast(summary.tags)
    forecasts = forecast.lines() if forecast else []
    _tell(say, "review", [f"as forecast at its first launch: {line}" for line in forecasts])
    _tell(say, "review", [changed] if changed else [])
    return Plan(
        spec=spec, space=prepared.space, task=prepared.task, search=summary.search,
        tracking_uri=tracking_uri, experiment=summary.experiment_id,
        summary_run=summary.run_id, storage=summary.storage, trials_budget=budget,
        hours=hours if hours is not None else spec.budget.hours, address=address,
        prior=prepared.prior, initial_weights=summary.initial_weights, passed=prepared.passed,
        # Trials that were added are wanted, and a search that has ended once was asked to go on.
        may_end=may_end_early(spec) and budget <= spec.budget.trials and not summary.ended_because,
        tags=tags_of_more_trials(summary, more_trials),
        note=f"Resumed on {date.today()} with changed code: {changed}." if changed else "",
    )  # fmt: skip


def stored_spec(summary: Summary) -> Spec:
    """The spec of a search, read from the store and checked again like a file."""
    return spec_from_yaml(summary.spec_yaml, f"the spec of {summary.search}")


def gather(
    tracking_uri: str,
    settings: HistorySettings,
    *,
    task: str = "",
    trained: Task | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> History:
    """Reads the history that a search may use.

    It is empty if the spec switches it off, and before the first search, which creates the store.

    Args:
        tracking_uri: The store.
        settings: Which experiments to read, and what was renamed since.
        task: Id of the new search's task, for the experiments that the settings say are of it.
        trained: What the new search trains: hyperparameters of other code are told apart.
        say: Told if there is no store yet, which may be a mistyped path.

    Raises:
        ConnectionError: the store does not answer.
    """
    if not settings.enabled:
        return History.empty()
    try:
        history = load_history(
            tracking_uri,
            settings.experiments,
            searches=settings.searches,
            same_task=settings.same_task,
            task=task if settings.same_task else "",
            is_new_task=True,
        )
    except NoStore as error:
        _tell(say, "review", [f"{error.found}; a search creates it"])
        return History.empty()
    if trained is not None:
        history = apart(history, trained.trains, is_function=trained.is_function)
    return history.renamed(settings.rename, settings.rename_metrics)
