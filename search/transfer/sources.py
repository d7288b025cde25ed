"""Trials whose weights can be handed on: found in the store by name, checkpoint and all.

A name is `SEARCH#TRIAL`, or an MLflow run id. Not for taking the weights (`weights.py`) nor for
writing them out for others (`export.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.catalog import Value, architecture, data_kind, describe_data
from models.weights.checkpoints import newest_checkpoint
from search.history import Trial
from search.objectives.roles import steering
from search.spec import Spec, spec_from_yaml
from search.tracking import tag_names
from search.tracking.read.history import read_history
from search.tracking.store import open_client, tags_of
from search.tracking.summary import Summary, find_summary
from search.transfer.best import best_trials

_NAME = re.compile(r"(?P<search>[^#]+)#(?P<number>\d+)")


@dataclass(frozen=True)
class WeightSource:
    """A complete trial of an earlier search.

    Attributes:
        spec: Of its search, as stored.
        fingerprint: Of its task.
        trial: As history has it.
        configuration: Complete, without the choice of initial weights.
        checkpoints: Folder of its checkpoints, whether it is still there or not.
        lineage: Of the weights it started from itself; empty if from none.
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
        """Whether its last epoch's weights are still there."""
        return _has_weights(self.checkpoints, self.trial.epoch)

    @property
    def initial(self) -> Path | None:
        """The file of the weights it started from itself; None from scratch."""
        given = self.summary.initial_weights.get(str(self.lineage.get("source")))
        return None if given is None else initial_folder(self.summary.storage) / given["file"]

    def fixes(self) -> dict[str, Value]:
        """The hyperparameters that a trial starting from its weights must share.

        Those of a CNN's architecture. Of a transformer only the method and size of what cannot be
        merged into the base: prefixes and adapters.
        """
        known = architecture(self.spec.task.model)
        if "adaptation" in known:
            known = _UNMERGED.get(str(self.configuration["adaptation"]), ())
        return {name: self.configuration[name] for name in known if name in self.configuration}

    def trained_on(self) -> list[dict[str, Any]]:
        """Every data set that its weights have seen, its own first: name, digest, settings."""
        data = self.fingerprint["data"]
        own = {
            "name": data["name"],
            "digest": data["digest"],
            "settings": dict(self.spec.task.data),
        }
        return [own, *(dict(each) for each in self.lineage.get("trained_on", ()))]

    def check_data(self) -> None:
        """Whether the data its weights have seen are still what they were.

        Raises:
            ValueError: they cannot be read any more, or have changed.
        """
        kind = data_kind(self.spec.task.model)
        for each in self.trained_on():
            problem = f"{self.name} was trained on {each['name']}@{each['digest']}, which"
            remedy = "so what it has seen cannot be compared with this task; choose another source"
            try:
                digest = describe_data(each["settings"], kind).digest
            except ValueError as error:
                raise ValueError(f"{problem} cannot be read ({error}), {remedy}") from error
            if digest != each["digest"]:
                raise ValueError(f"{problem} has changed since ({digest} now), {remedy}")


def initial_folder(storage: Path) -> Path:
    """Where in a search's storage the weights lie that its trials start from."""
    return storage / "initial_weights"


_UNMERGED = {
    "prefix": ("adaptation", "prefix.tokens"),
    "adapters": ("adaptation", "adapters.width"),
}


def find_trial(tracking_uri: str, reference: str) -> WeightSource:
    """The trial called `SEARCH#TRIAL`, or of this MLflow run id.

    Raises:
        LookupError: there is no such search, trial or run.
        ValueError: the trial is not complete, or its model is the user's own function.
    """
    match = _NAME.fullmatch(reference)
    if match is not None:
        return _of_search(tracking_uri, match["search"], int(match["number"]))
    tags = tags_of(open_client(tracking_uri), reference)
    if tag_names.SEARCH not in tags or tag_names.NUMBER not in tags:
        raise LookupError(f"run {reference} is no trial of a search; name one as SEARCH#TRIAL")
    return _of_search(tracking_uri, tags[tag_names.SEARCH], int(tags[tag_names.NUMBER]))


def best_trial(tracking_uri: str, search: str) -> WeightSource:
    """A search's best complete trial whose checkpoint is still there, as its objectives count.

    By the primary objective; what misses a bound comes after all that keeps it.

    Raises:
        LookupError: there is no such search, or none of its complete trials has a checkpoint.
    """
    summary, trials = _complete(tracking_uri, search)
    for trial in _best_first(tracking_uri, summary, trials):
        source = _source(tracking_uri, summary, trial)
        if source.has_checkpoint:
            return source
    raise LookupError(_without_checkpoint(summary, len(trials)))


def front_trials(tracking_uri: str, search: str) -> list[WeightSource]:
    """A search's Pareto front where checkpoints are left; the best in the first objective first.

    Raises:
        LookupError: there is no such search, or no member of its front has a checkpoint.
    """
    summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    front = best_trials(history, summary.search)
    sources = [_source(tracking_uri, summary, trial) for trial in front]
    kept = [source for source in sources if source.has_checkpoint]
    if not kept:
        raise LookupError(_without_checkpoint(summary, len(front)))
    return kept


def _best_first(tracking_uri: str, summary: Summary, trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials in the order of their first objective that judges."""
    if not trials:
        return []
    this = read_history(tracking_uri, searches=[summary.search]).searches[summary.search]
    losses = steering([each.values for each in trials], this.objectives)
    return [trials[place] for place in np.argsort(losses[:, 0], kind="stable")]


def _of_search(tracking_uri: str, search: str, number: int) -> WeightSource:
    summary, trials = _complete(tracking_uri, search)
    for trial in trials:
        if trial.number == number:
            return _source(tracking_uri, summary, trial)
    known = ", ".join(str(each.number) for each in trials) or "none yet"
    raise LookupError(f"{summary.search} has no complete trial {number}; complete are: {known}")


def _complete(tracking_uri: str, search: str) -> tuple[Summary, list[Trial]]:
    summary = find_summary(open_client(tracking_uri), search)
    history = read_history(tracking_uri, searches=[summary.search])
    trials = history.prior_trials(state="complete", search=summary.search)
    return summary, sorted(trials, key=lambda each: each.number)


def _source(tracking_uri: str, summary: Summary, trial: Trial) -> WeightSource:
    spec = spec_from_yaml(summary.spec_yaml, f"the spec of {summary.search}")
    if spec.task.is_function:
        raise ValueError(
            f"{summary.search} trains with {spec.task.model}, which keeps no weights of its own "
            f"here; only models of the catalog can hand them on"
        )
    tags = tags_of(open_client(tracking_uri), trial.run_id)
    configuration = dict(spec.complete(trial.configuration))
    configuration.pop("initial_weights", None)
    return WeightSource(
        summary=summary,
        spec=spec,
        fingerprint=json.loads(tag_names.joined_tag(tag_names.FINGERPRINT, summary.tags) or "{}"),
        trial=trial,
        configuration=configuration,
        checkpoints=Path(tags.get(tag_names.CHECKPOINTS, "")),
        lineage=json.loads(tag_names.joined_tag(tag_names.LINEAGE, tags) or "{}"),
    )


def _has_weights(folder: Path, epoch: int) -> bool:
    checkpoint = newest_checkpoint(folder)
    return (
        checkpoint is not None and checkpoint.state_file is not None and checkpoint.epoch >= epoch
    )


def _without_checkpoint(summary: Summary, trials: int) -> str:
    if not trials:
        return f"{summary.search} has no complete trial to start from"
    return (
        f"no checkpoint of {summary.search} is left in {summary.storage / 'checkpoints'} "
        f"({trials} complete trials): mount the folder, or choose another search"
    )
