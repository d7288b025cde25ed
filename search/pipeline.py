"""Pipeline: the five steps composed into one launch, of a new search or of one that goes on.

The command line calls this; it prints nothing but what it is given a `say` for.
"""

from __future__ import annotations

import json
import platform
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.catalog import data_kind, describe_data
from models.networks.base_model import locate_base
from search.apply import Proposal
from search.apply.prior_data import PriorData, prior_data
from search.apply.sampler import first_proposals
from search.experience import Experience
from search.extract import learn
from search.extract.describe import lines
from search.history import History
from search.optimize.plan import Plan, resolved_storage
from search.review import Reconciled, reconcile
from search.space import SearchSpace
from search.spec import HistorySettings, Spec, spec_from_yaml, task_id
from search.tracking.ownership import refuse_if_alive
from search.tracking.read.history import read_history
from search.tracking.store import ensure_experiment, open_client
from search.tracking.summary import Summary, create_summary, find_summary, raise_budget
from search.tracking.write.mlflow_views import write_views
from search.transfer.pin_weights import pin
from search.transfer.weights import copy_weights, missing_weights

PREVIEWED = 3
# A launch says the gist; `review` says it all.
LINES_SHOWN = 4


@dataclass(frozen=True)
class Prepared:
    """A spec after review, extract and apply: ready to be optimized, nothing written yet."""

    spec: Spec
    space: SearchSpace
    task: str
    fingerprint: Mapping[str, Any]
    history: History
    reconciled: Reconciled
    experience: Experience
    prior: PriorData
    proposals: list[Proposal]


def prepare(
    spec: Spec,
    tracking_uri: str,
    *,
    say: Callable[[str], None],
    searches: Sequence[str] | None = None,
    lines_shown: int | None = LINES_SHOWN,
) -> Prepared:
    """Reviews history, extracts what it taught, and looks at what would be tried first.

    Args:
        spec: the checked spec.
        tracking_uri: where history is.
        say: told a few lines about each step.
        searches: the only ones to learn from; all that the spec wants if None.
        lines_shown: how much of the experience to say; all of it if None.

    Raises:
        ConnectionError: the store does not answer.
        LookupError: there is no such trial to start from.
        ValueError: the data set or the pretrained model cannot be read, or the weights of a trial
            do not fit.
    """
    pinned = pin(spec, tracking_uri)
    for line in pinned.lines:
        say(f"review    {line}")
    spec = pinned.spec
    space = spec.search_space()
    fingerprint = fingerprint_of(spec)
    task = task_id(fingerprint)
    history = gather(tracking_uri, spec.history, task=task, searches=searches)
    reconciled = reconcile(history, space, spec.objectives)
    for line in [_found(spec, history, task), *reconciled.lines(lines_shown)]:
        say(f"review    {line}")
    experience = learn(
        history, space, task=task, fingerprint=fingerprint, objectives=spec.objectives
    )
    for line in lines(experience)[:lines_shown]:
        say(f"extract   {line}")
    experience = replace(experience, fitted=tuple(reconciled.lines()))
    prior = prior_data(
        reconciled, space, spec.objectives, task=task, similarities=experience.similarities,
        has_models=spec.sampler.name == "warm",
    )  # fmt: skip
    proposals = first_proposals(spec, prior, space, task, PREVIEWED)
    say(f"apply     {spec.sampler.name} sampler; first: {_in_words(proposals[0])}")
    return Prepared(
        spec, space, task, fingerprint, history, reconciled, experience, prior, proposals
    )


def new_plan(
    prepared: Prepared,
    tracking_uri: str,
    storage_root: Path,
    address: str | None,
    say: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Creates the search in the store; returns what the optimize step needs.

    Raises:
        LookupError: a trial to start from is gone.
        ValueError: it was trained on what this task is judged by.
    """
    spec, client = prepared.spec, open_client(tracking_uri)
    search = f"{spec.name}-{datetime.now():%m%d-%H%M}-{secrets.token_hex(2)}"
    experiment = ensure_experiment(client, spec.task.name, tracking_uri)
    storage = resolved_storage(storage_root, search)
    # First, for it may be refused: then there is no trace of this search.
    weights = copy_weights(spec, tracking_uri, storage, lambda text: say(f"apply     {text}"))
    summary_run = create_summary(
        client, experiment,
        search=search, task=prepared.task, fingerprint=prepared.fingerprint,
        spec_yaml=spec.to_yaml(), space_json=prepared.space.to_json(),
        objectives=spec.objectives,
        storage=storage, trials_budget=spec.budget.trials,
        numbers={"epochs": spec.budget.epochs, "seed": spec.seed},
        warm_started_from=list(prepared.history.searches) if spec.sampler.name == "warm" else [],
        environment=environment(), initial_weights=weights,
        experience_json=prepared.experience.to_json(),
    )  # fmt: skip
    always_there = [name for name in prepared.space.distributions if not spec.space[name].when]
    write_views(client, experiment, spec.objectives, always_there)
    return Plan(
        spec=spec, space=prepared.space, task=prepared.task, search=search,
        tracking_uri=tracking_uri, experiment=experiment, summary_run=summary_run,
        storage=storage, trials_budget=spec.budget.trials, hours=spec.budget.hours,
        address=address, prior=prepared.prior, initial_weights=weights,
    )  # fmt: skip


def resumed_plan(
    search: str,
    tracking_uri: str,
    *,
    more_trials: int,
    hours: float | None,
    address: str | None,
    allow_function: str | None,
    say: Callable[[str], None],
) -> Plan:
    """The plan of a search that goes on, from its summary run alone.

    Raises:
        LookupError: no such search.
        SearchIsAlive: it has an owner that lives.
        PermissionError: its model is a Python function that was not allowed by name.
        FileNotFoundError: the weights that its trials start from are gone.
    """
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    refuse_if_alive(client, summary.run_id, lambda text: say(f"review    {text}"))
    spec = stored_spec(summary)
    if spec.task.is_function and spec.task.model != f"python:{allow_function}":
        raise PermissionError(
            f"{summary.search} trains with {spec.task.model}, a name read from the store. If it is "
            f"yours, say so: --allow-function {spec.task.model.removeprefix('python:')}"
        )
    missing = missing_weights(summary)
    if missing:
        raise FileNotFoundError(
            f"the weights that {summary.search} starts from are gone ({missing[0]}): mount the "
            f"folder, or start a new search"
        )
    budget = summary.trials_budget + more_trials
    # What it started from, or it would go on from what came later.
    prepared = prepare(spec, tracking_uri, say=say, searches=summary.warm_started_from)
    if more_trials:
        raise_budget(client, summary.run_id, budget)
    return Plan(
        spec=spec, space=prepared.space, task=prepared.task, search=summary.search,
        tracking_uri=tracking_uri, experiment=summary.experiment_id,
        summary_run=summary.run_id, storage=summary.storage, trials_budget=budget,
        hours=hours if hours is not None else spec.budget.hours, address=address,
        prior=prepared.prior, initial_weights=summary.initial_weights,
    )  # fmt: skip


def fingerprint_of(spec: Spec) -> dict[str, Any]:
    """A spec's fingerprint, its data and its pretrained model described and checked.

    Raises:
        ValueError: one of them is missing, damaged or not what the model learns from.
    """
    task = spec.task
    kind = "images" if task.is_function else data_kind(task.model)
    data = describe_data(task.data, kind) if task.data else None
    base = locate_base(task.base) if task.base else None
    return spec.fingerprint(data, base)


def stored_spec(summary: Summary) -> Spec:
    """The spec of a search, read from the store and checked again like any file."""
    return spec_from_yaml(summary.spec_yaml, f"the spec of {summary.search}")


def _found(spec: Spec, history: History, task: str) -> str:
    if not spec.history.enabled:
        return "history is switched off: this search starts cold"
    return (
        f"{len(history)} trials of {len(history.searches)} earlier searches"
        f" ({len(history.prior_trials(task))} complete ones of this very task),"
        f" {len(history.rejected)} runs left out"
    )


def _in_words(proposal: Proposal) -> str:
    configuration = json.dumps(dict(proposal.configuration))
    return f"{configuration} ({proposal.origin.get('step', '?')})"


def with_changes(spec: Spec, *, cold: bool) -> Spec:
    """The spec with history switched off, if so asked."""
    if not cold:
        return spec
    return spec.model_copy(update={"history": spec.history.model_copy(update={"enabled": False})})


def gather(
    tracking_uri: str,
    settings: HistorySettings,
    *,
    task: str = "",
    searches: Sequence[str] | None = None,
) -> History:
    """The history a search may use: nothing if the spec switched it off.

    Args:
        tracking_uri: the store.
        settings: which experiments, and what was renamed since.
        task: id of the new search's task, for the experiments that settings say are of it.
        searches: the only ones to read; all if None.

    Raises:
        ConnectionError: the store does not answer.
    """
    if not settings.enabled:
        return History.empty()
    history = read_history(
        tracking_uri,
        settings.experiments,
        searches=searches,
        same_task=settings.same_task,
        task=task,
    )
    return history.renamed(settings.rename, settings.rename_metrics)


VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "transformers", "peft", "numpy")


def environment() -> dict[str, str]:
    """Part -> version; "code" is the commit, marked if files differ from it."""
    root = Path(__file__).resolve().parents[1]
    try:
        commit = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"
    return {
        "code": commit,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in VERSIONS_OF},
    }
