"""Read runs that were imported from another tool's file or storage.

Layout: `search/tracking/imports/writer.py`. Configuration, values, objectives and space are JSON
text in tags, under the names that our own runs have; every run stands alone, with no summary.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from search.history.causes import last_line
from search.history.states import STATES, State, state_of_run
from search.objectives import Objective
from search.space import SearchSpace
from search.tracking import tag_names
from search.tracking.foreign.layout import Reading, hyperparameters
from search.tracking.runs import UNREADABLE, Run, clean

TOOL = "imported"


def recognises(run: Run, parent: Run | None) -> bool:
    """Returns whether the run was imported."""
    return run.tags.get(tag_names.KIND) == "imported"


def read(run: Run, parent: Run | None) -> Reading:
    """Returns the run's reading; what cannot be read of it is missing."""
    stated = run.tags.get(tag_names.STATE)
    state: State = next((each for each in STATES if each == stated), state_of_run(run.status))
    known = _configuration(run.tags)
    objectives = _objectives(run.tags)
    values = _values(run.tags) if state == "complete" else ()
    params = hyperparameters(run.params)
    return Reading(
        state,
        {name: text for name, text in params.items() if name not in known},
        known,
        {name: kind for name, kind in _space(run.tags).items() if name in known},
        objectives,
        values if len(values) == len(objectives) else (),
        identity=run.tags.get(tag_names.IDENTITY, ""),
        reason=clean(last_line(tag_names.joined_tag(tag_names.REASON, run.tags) or "")),
    )


def _configuration(tags: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(tag_names.joined_tag(tag_names.CONFIGURATION, tags) or "{}")
        "".join(found).encode()  # a lone surrogate is no text that Arrow holds
        plain = {
            name: value
            for name, value in found.items()
            if isinstance(value, bool | int | float | str)
        }
        json.dumps(plain, allow_nan=False).encode()
        return plain
    except UNREADABLE:
        return {}


def _objectives(tags: Mapping[str, str]) -> tuple[Objective, ...]:
    try:
        metrics = json.loads(tags.get(tag_names.OBJECTIVES, "[]"))
        directions = json.loads(tags.get(tag_names.DIRECTIONS, "[]"))
        "".join(metrics).encode()
        return tuple(Objective(*each) for each in zip(metrics, directions, strict=True))
    except UNREADABLE:
        return ()


def _values(tags: Mapping[str, str]) -> tuple[float, ...]:
    try:
        values = tuple(float(value) for value in json.loads(tags.get(tag_names.VALUES, "[]")))
        return values if all(map(math.isfinite, values)) else ()
    except UNREADABLE:
        return ()


def _space(tags: Mapping[str, str]) -> Mapping[str, BaseDistribution]:
    try:
        text = tag_names.joined_tag(tag_names.SPACE, tags)
        return SearchSpace.from_json(text).distributions if text else {}
    except UNREADABLE:
        return {}
