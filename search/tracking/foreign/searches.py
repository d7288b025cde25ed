"""Group foreign trials into searches, with their types and their space.

A search has the runs below one run, or else the runs of an experiment with the same tool; data and
model must agree too, if they were logged. Its id and its task's begin with `mlflow:`, so that they
differ from Twentieth's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from optuna.distributions import BaseDistribution

from search.objectives.objective import to_row
from search.space import SearchSpace
from search.tracking.foreign.inferred_space import inferred
from search.tracking.foreign.layout import Reading
from search.tracking.foreign.param_types import typed
from search.tracking.runs import FOREIGN, Run, duration, moment

MOST_EPOCHS = 2**31 - 1


@dataclass(frozen=True)
class ReadRun:
    """A run as its tool's layout reads it, not yet in a search; `place` is its row."""

    place: int
    run: Run
    tool: str
    reading: Reading
    fingerprint: Mapping[str, Any]
    epoch: int

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the trials of one search share: parent or else tool, data, model."""
        data = self.fingerprint.get("data", {})
        label = data.get("digest") or data.get("name") or ""
        parent = self.run.parent or ""
        return parent, "" if parent else self.tool, label, self.fingerprint.get("model", "")


def rows_of(
    experiment: str, trials: Iterable[ReadRun], parents: Mapping[str, Run]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns rows of TRIALS, each with its run's "place" and without curves, and of SEARCHES.

    Args:
        experiment: the experiment's name.
        trials: the trials, oldest first.
        parents: run id -> run that has others below it.
    """
    groups: dict[tuple[str, ...], list[ReadRun]] = {}
    for trial in trials:
        groups.setdefault(trial.key, []).append(trial)
    rows: list[dict[str, Any]] = []
    searches: list[dict[str, Any]] = []
    taken: set[str] = set()
    for key, group in groups.items():
        parent = key[0]
        texts = typed(trial.reading.texts for trial in group)
        configurations = [
            text | dict(trial.reading.known) for text, trial in zip(texts, group, strict=True)
        ]
        search = _search_row(experiment, group, parents.get(parent), configurations)
        # A run belongs to one search; a second search below it (other data) has no run.
        search["run_id"] = parent if parent in parents and parent not in taken else ""
        taken.add(parent)
        if search["search"] in taken:  # a data set may have the name of a tool or a model
            search["search"] += f"#{crc32(repr(key).encode()):08x}"
        taken.add(search["search"])
        searches.append(search)
        rows += _trial_rows(group, search, configurations)
    return rows, searches


def _search_row(
    experiment: str,
    group: Sequence[ReadRun],
    parent: Run | None,
    configurations: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    parent_id, tool, data, model = group[0].key
    nested = f"{parent.name if parent else ''}-{parent_id[:8]}".strip("-") if parent_id else tool
    epochs = min(max(trial.epoch for trial in group), MOST_EPOCHS)
    fingerprint = {"name": experiment, **group[0].fingerprint}
    if epochs > 0:
        fingerprint["epochs"] = epochs
    speaking = next((trial.reading for trial in group if trial.reading.objectives), None)
    starts = [trial.run.start for trial in group if moment(trial.run.start)]
    is_running = any(trial.reading.state == "running" for trial in group)
    subject = [part for part in (data, model) if part]
    return {
        "search": FOREIGN + "/".join([experiment, *([nested] if nested else []), *subject]),
        "task": FOREIGN + "@".join([experiment, *subject]),
        "fingerprint_json": json.dumps(fingerprint),
        **_space(group, configurations),
        **to_row(speaking.objectives if speaking else ()),
        "started": min(starts, default=0),
        "trials_budget": len(group),
        "epochs": max(epochs, 0),
        "seed": 0,
        "state": "running" if is_running else "complete",
        "warm": False,
    }


def _goal(trial: ReadRun, search: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a trial's objectives as columns; its search's if it has none."""
    goal = to_row(trial.reading.objectives)
    return {key: goal[key] or search[key] for key in ("objectives", "directions")}


def _space(group: Sequence[ReadRun], configurations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the space as the tool logged it, and the names whose part of it is inferred.

    There is no space if nothing varied.
    """
    logged: dict[str, BaseDistribution] = {}
    for trial in group:  # the latest trial wins: it has the space as last edited
        logged |= trial.reading.distributions
    found = inferred(configurations) | logged
    return {
        "space_json": SearchSpace.from_distributions(found).to_json() if found else None,
        "inferred": sorted(found.keys() - logged.keys()),
    }


def _trial_rows(
    group: Sequence[ReadRun], search: Mapping[str, Any], configurations: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    numbers = [trial.reading.number for trial in group]
    is_counted = None not in numbers and len(set(numbers)) == len(numbers)
    return [
        {
            "place": trial.place,
            "task": search["task"],
            "search": search["search"],
            "number": trial.reading.number if is_counted else index,
            "run_id": trial.run.run_id,
            "state": state,
            "configuration": json.dumps(configuration),
            **_goal(trial, search),
            "values": list(trial.reading.values) if state == "complete" else [],
            "epoch": min(max(trial.epoch, 0), MOST_EPOCHS),
            "reason": trial.reading.reason or None,
            "origin": json.dumps({"step": trial.tool} if trial.tool else {}),
            "started": moment(trial.run.start),
            "seconds": duration(trial.run.start, trial.run.end)
            if trial.reading.has_times
            else None,
        }
        for index, (trial, configuration, state) in enumerate(
            zip(group, configurations, _states(group), strict=True)
        )
    ]


def _states(group: Sequence[ReadRun]) -> list[str]:
    """Returns the states; of Ray's FINISHED trials, those that ended early count as stopped.

    Ray marks trials that its scheduler stopped FINISHED too. So if at least two finished trials
    have the greatest number of epochs, shorter ones were stopped.
    """
    states = [trial.reading.state for trial in group]
    lengths = [trial.epoch for trial in group if trial.reading.state == "complete"]
    if any(trial.tool != "ray" for trial in group) or lengths.count(max(lengths, default=0)) < 2:
        return states
    longest = max(lengths)
    return [
        "stopped" if state == "complete" and trial.epoch < longest else state
        for state, trial in zip(states, group, strict=True)
    ]
