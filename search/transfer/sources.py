"""Trials whose weights can be used again, found in the store by name.

A name is `SEARCH#TRIAL`, or an MLflow run id. Not for copying the weights
(`inherited_weights.py`) nor for exporting them (`export.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.catalog import Value, architecture, data_kind, describe_data, is_own
from models.networks.base_model import locate_base
from models.weights.checkpoints import newest_checkpoint
from search.history import History, Trial
from search.history.lineage import read_lineage
from search.history.plurals import counted
from search.history.trial import search_and_number
from search.objectives.roles import steering
from search.spec import Spec, spec_from_yaml
from search.spec.own_code import Allowed, require_allowed
from search.tracking import tag_names
from search.tracking.read.history import load_history
from search.tracking.runs import trial_number
from search.tracking.store import open_client, tags_of
from search.tracking.summary import Summary, find_summary
from search.transfer.best import best_trials

if TYPE_CHECKING:
    from models.weights.rebuild import TrainedTrial

# What of a transformer's adaptation cannot be merged into its base.
_UNMERGED = {
    "prefix": ("adaptation", "prefix.tokens"),
    "adapters": ("adaptation", "adapters.width"),
}


@dataclass(frozen=True)
class WeightSource:
    """A complete trial of an earlier search.

    Attributes:
        summary: The summary of its search.
        spec: The spec of its search, as stored.
        fingerprint: The fingerprint of its task.
        trial: The trial in history.
        configuration: Its complete configuration, without the choice of initial weights.
        checkpoints: The folder of its checkpoints, which may be gone.
        lineage: The lineage of the weights it started from itself; empty if from scratch.
    """

    summary: Summary
    spec: Spec
    fingerprint: Mapping[str, Any]
    trial: Trial
    configuration: Mapping[str, Value]
    checkpoints: Path
    lineage: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`SEARCH#TRIAL`."""
        return f"{self.summary.search}#{self.trial.number}"

    @property
    def has_checkpoint(self) -> bool:
        """Whether the weights of its last epoch still exist."""
        newest = newest_checkpoint(self.checkpoints)
        if newest is None or newest.state_file is None:
            return False
        return newest.epoch >= self.trial.epoch

    @property
    def initial(self) -> Path | None:
        """The file of the weights it started from itself; None if from scratch."""
        given = self.summary.initial_weights.get(str(self.lineage.get("source")))
        return None if given is None else initial_folder(self.summary.storage) / given["file"]

    def fixes(self) -> dict[str, Value]:
        """The hyperparameters that a trial starting from its weights must share.

        For a network, those of its architecture. For a transformer, only the method and size of
        what cannot be merged into the base: prefixes and adapters.
        """
        model = self.spec.task.catalog_name
        known = architecture(model) + tuple(n for n in self.configuration if is_own(model, n))
        if "adaptation" in known:
            known = _UNMERGED.get(str(self.configuration["adaptation"]), ())
        return {name: self.configuration[name] for name in known if name in self.configuration}

    def trained_on(self) -> list[dict[str, Any]]:
        """Name, digest and settings of all data its weights were trained on, its own first."""
        data = self.fingerprint["data"]
        settings = dict(self.spec.task.data)
        own = {"name": data["name"], "digest": data["digest"], "settings": settings}
        return [own, *(dict(each) for each in self.lineage.get("trained_on", ()))]

    def check_data(self) -> None:
        """Checks that the data its weights were trained on are unchanged.

        Raises:
            ValueError: they can no longer be read, or have changed.
        """
        kind = data_kind(self.spec.task.catalog_name)
        for each in self.trained_on():
            problem = f"{self.name} was trained on {each['name']}@{each['digest']}, which"
            fix = "so its training data cannot be compared with this task; fix: name another trial"
            try:
                digest = describe_data(each["settings"], kind).digest
            except ValueError as error:
                raise ValueError(f"{problem} cannot be read ({error}), {fix}") from error
            if digest != each["digest"]:
                raise ValueError(f"{problem} has changed since (now {digest}), {fix}")

    def trained(self, base: str | None, allowed: Allowed) -> TrainedTrial:
        """What it takes to rebuild its model, which runs the user's own code if it is of that.

        Args:
            base: The pretrained model on this machine; None for a network.
            allowed: What the user allows to run.

        Raises:
            PermissionError: the user has not allowed its code, or it has changed.
            ValueError: its code or its base cannot be found.
        """
        require_allowed(self.name, self.spec.task, self.fingerprint, allowed)
        from models.weights.rebuild import TrainedTrial  # torch costs seconds

        task, found = self.spec.task, locate_base(base) if base else None
        return TrainedTrial(
            self.name, task.catalog_name, self.configuration, task.data, self.checkpoints, found,
            self.initial, task.network,
        )  # fmt: skip


def check_checkpoint(source: WeightSource, key: str = "") -> None:
    """Checks that a trial's last checkpoint still exists; `key` of a spec leads the message.

    Raises:
        LookupError: it is gone.
    """
    if not source.has_checkpoint:
        raise LookupError(
            f"{key}no checkpoint of {source.name} is left in {source.checkpoints}; fix: put "
            f"the folder back or mount it, or name another trial"
        )


def initial_folder(storage: Path) -> Path:
    """The folder in a search's storage with the weights that its trials start from."""
    return storage / "initial_weights"


def find_trial(tracking_uri: str, reference: str) -> WeightSource:
    """Finds the trial called `SEARCH#TRIAL`, or of this MLflow run id.

    Raises:
        LookupError: there is no such search, trial or run.
        ValueError: the name is none, or the model of the trial is the user's own function.
    """
    search, number = search_and_number(reference)
    if number is None:
        tags = tags_of(open_client(tracking_uri), reference)
        number = trial_number(tags.get(tag_names.NUMBER, ""))
        if tag_names.SEARCH not in tags or number is None:
            raise LookupError(
                f"run {reference} is not a trial of a search; fix: name one as SEARCH#TRIAL"
            )
        search = tags[tag_names.SEARCH]
    summary, history = _read(tracking_uri, search)
    for trial in history.prior_trials(state=None):
        # One whose accuracy is in doubt was trained to its end: it may be attacked further, and
        # be a start (`pin_weights.py` warns of it), but is never a search's best.
        is_trained = trial.state == "complete" or trial.cause == "masked gradients"
        if trial.number == number and is_trained:
            return _source(tracking_uri, summary, trial)
    known = ", ".join(str(each.number) for each in _complete(history)) or "none yet"
    raise LookupError(f"{summary.search} has no complete trial {number}; complete are: {known}")


def best_trial(tracking_uri: str, search: str) -> WeightSource:
    """A search's best complete trial whose checkpoint still exists, as its objectives count.

    Trials are ordered by the primary objective; those that miss a bound come last.

    Raises:
        LookupError: there is no such search, or none of its complete trials has a checkpoint.
    """
    summary, history = _read(tracking_uri, search)
    trials = _complete(history)
    if trials:
        objectives = history.searches[summary.search].objectives
        losses = steering([each.values for each in trials], objectives)
        trials = [trials[index] for index in np.argsort(losses[:, 0], kind="stable")]
    for trial in trials:
        source = _source(tracking_uri, summary, trial)
        if source.has_checkpoint:
            return source
    raise LookupError(_without_checkpoint(summary, len(trials)))


def front_trials(tracking_uri: str, search: str) -> list[WeightSource]:
    """The trials of a search's Pareto front that have a checkpoint, sorted by the first objective.

    Raises:
        LookupError: there is no such search, or no trial of its front has a checkpoint.
    """
    summary, history = _read(tracking_uri, search)
    front = best_trials(history, summary.search)
    sources = [_source(tracking_uri, summary, trial) for trial in front]
    kept = [source for source in sources if source.has_checkpoint]
    if not kept:
        raise LookupError(_without_checkpoint(summary, len(front)))
    return kept


def _read(tracking_uri: str, search: str) -> tuple[Summary, History]:
    summary = find_summary(open_client(tracking_uri), search)
    return summary, load_history(tracking_uri, searches=[summary.search])


def _complete(history: History) -> list[Trial]:
    return sorted(history.prior_trials(), key=lambda each: each.number)


def _source(tracking_uri: str, summary: Summary, trial: Trial) -> WeightSource:
    spec = spec_from_yaml(summary.spec_yaml, f"the spec of {summary.search}")
    if spec.task.is_function:
        raise ValueError(
            f"{summary.search} trains with {spec.task.trains}, your own function, whose weights "
            f"are not stored here; fix: name a trial of a model or of a network"
        )
    tags = tags_of(open_client(tracking_uri), trial.run_id)
    configuration = dict(spec.complete(trial.configuration))
    configuration.pop("initial_weights", None)
    try:
        lineage = read_lineage(tag_names.joined_tag(tag_names.LINEAGE, tags))
    except ValueError as error:
        raise ValueError(
            f"{summary.search}#{trial.number}: {error} So it is unknown which examples these "
            "were trained on; fix: name another trial"
        ) from error
    return WeightSource(
        summary=summary,
        spec=spec,
        fingerprint=summary.fingerprint,
        trial=trial,
        configuration=configuration,
        checkpoints=Path(tags.get(tag_names.CHECKPOINTS, "")),
        lineage=lineage,
    )


def _without_checkpoint(summary: Summary, trials: int) -> str:
    if not trials:
        return f"{summary.search} has no complete trial to start from"
    return (
        f"no checkpoint of {summary.search} is left in {summary.storage / 'checkpoints'} "
        f"({counted(trials, 'complete trial')}); fix: put the folder back or mount it, or name "
        "another search"
    )
