"""Read runs that Twentieth logged: one summary run per search, one run per trial.

The content of a run is not trusted: text is parsed as JSON, numbers are checked, and a run that
cannot be read is left out with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.history.causes import last_line
from search.history.states import STATES
from search.objectives.objective import from_row, to_row
from search.space import SearchSpace
from search.tracking import tag_names
from search.tracking.ownership import is_alive
from search.tracking.runs import FOREIGN, UNREADABLE, Run, clean, duration, moment, rejection


def read_own(
    runs: Sequence[tuple[int, Run]], last_epochs: Sequence[int], rejected: list[dict[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns rows of TRIALS, each with its run's "place" and without curves, and of SEARCHES.

    Args:
        runs: pairs of place and run, oldest first.
        last_epochs: place -> the last epoch of the run's curves.
        rejected: every run that is left out is added, with its reason.
    """
    summaries: dict[str, dict[str, Any]] = {}
    trials: list[tuple[Run, dict[str, Any]]] = []
    for place, run in runs:
        try:
            if run.tags[tag_names.KIND] == "trial":
                trials.append((run, _trial_row(run, last_epochs[place]) | {"place": place}))
                continue
            row = _search_row(run)
            if summaries.setdefault(row["search"], row) is not row:
                first = summaries[row["search"]]["run_id"]
                rejected.append(rejection(run, f"repeats the summary of its search, run {first}"))
        except UNREADABLE as error:
            rejected.append(rejection(run, f"cannot be read: {type(error).__name__}: {error}"))
    return _merged(_with_searches(trials, summaries, rejected), rejected), list(summaries.values())


def _search_row(run: Run) -> dict[str, Any]:
    tags = run.tags
    spec_numbers = json.loads(tags.get(tag_names.NUMBERS, "{}"))
    state = tags.get(tag_names.STATE, "interrupted")
    if state == "running" and not is_alive(tags):
        state = "interrupted"
    space = tag_names.joined_tag(tag_names.SPACE, tags)
    if space is not None:
        SearchSpace.from_json(space)  # raises if it is no space
    fingerprint = tag_names.joined_tag(tag_names.FINGERPRINT, tags) or "{}"
    if not isinstance(json.loads(fingerprint), dict):
        raise ValueError("its fingerprint is not a JSON object")
    if tags[tag_names.SEARCH].startswith(FOREIGN):
        raise ValueError(
            f"its search's id begins with {FOREIGN!r}, which is reserved for other tools"
        )
    objectives = from_row(
        {
            "objectives": _strings(tags[tag_names.OBJECTIVES]),
            "directions": _directions(tags[tag_names.DIRECTIONS]),
            "roles_json": tag_names.joined_tag(tag_names.ROLES, tags),
        }
    )
    return {
        "search": tags[tag_names.SEARCH],
        "run_id": run.run_id,
        "task": tags[tag_names.TASK],
        "fingerprint_json": fingerprint,
        "space_json": space,
        **to_row(objectives),
        "started": moment(run.start) or 0,
        "trials_budget": _count(tags.get(tag_names.BUDGET, 0)),
        "epochs": _count(spec_numbers.get("epochs", 0)),
        "seed": _count(spec_numbers.get("seed", 0), 2**32),
        "state": state,
        "warm": json.loads(tag_names.joined_tag(tag_names.WARM, tags) or "[]") != [],
    }


def _trial_row(run: Run, last_epoch: int) -> dict[str, Any]:
    tags, epoch = run.tags, _count(run.tags.get(tag_names.EPOCH, 0))
    configuration = json.loads(tag_names.joined_tag(tag_names.CONFIGURATION, tags) or "null")
    if not isinstance(configuration, dict):
        raise ValueError("its configuration is missing or not a JSON object")
    state = tags.get(tag_names.STATE, "interrupted")
    if state not in STATES:
        raise ValueError(f"unknown state {state!r}")
    values = [float(value) for value in json.loads(tags.get(tag_names.VALUES, "[]"))]
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"objective values {values} are not all finite")
    # The tag of a trial that has not ended may lag (see `tag_names.EPOCH`).
    if state in ("running", "interrupted") and 0 <= last_epoch < LARGEST_COUNT:
        epoch = max(epoch, last_epoch)
    origin = json.loads(tag_names.joined_tag(tag_names.ORIGIN, tags) or "{}")
    lasted = duration(run.start, run.end)
    return {
        "search": tags[tag_names.SEARCH],
        "number": _count(tags[tag_names.NUMBER]),
        "run_id": run.run_id,
        "state": state,
        "configuration": json.dumps(configuration),
        "values": values if state == "complete" else [],
        "epoch": epoch,
        "origin": json.dumps(origin if isinstance(origin, dict) else {}),
        "started": moment(run.start),
        "seconds": _amount(tags.get(tag_names.SECONDS), "a time in seconds", otherwise=lasted),
        "work": _amount(tags.get(tag_names.WORK), "a number of FLOP"),
        "device": clean(tags.get(tag_names.DEVICE, "")) or None,
        "reason": clean(last_line(tags.get(tag_names.REASON, ""))) or None,
        "ended": moment(run.end),
        "name": run.name,
    }


def _with_searches(
    trials: Iterable[tuple[Run, dict[str, Any]]],
    summaries: Mapping[str, Mapping[str, Any]],
    rejected: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """Adds its search's task, objectives and directions to each trial."""
    rows = []
    for run, row in trials:
        summary = summaries.get(row["search"])
        if summary is None:
            rejected.append(rejection(run, f"its search {row['search']!r} has no summary run"))
            continue
        if row["state"] == "running" and summary["state"] != "running":
            row["state"] = "interrupted"
        if row["state"] == "complete" and len(row["values"]) != len(summary["objectives"]):
            rejected.append(rejection(run, "complete, but without a value for each objective"))
            continue
        rows.append(row | {name: summary[name] for name in ("task", "objectives", "directions")})
    return rows


def _merged(rows: Iterable[dict[str, Any]], rejected: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Keeps one row per trial key: of runs that share a key, the one furthest along."""
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["search"], row["number"])
        other = best.get(key)
        if other is not None:
            row, other = sorted((row, other), key=lambda entry: -(entry["epoch"] or 0))
            reason = f"shares its trial key with run {row['run_id']}, which went further"
            rejected.append({"run_id": other["run_id"], "name": other["name"], "reason": reason,
                             "search": other["search"]})  # fmt: skip
        best[key] = row
    return list(best.values())


def _amount(text: str | None, what: str, otherwise: float | None = None) -> float | None:
    """Returns a recorded amount, at least 0; `otherwise` if it is not recorded."""
    if text is None:
        return otherwise
    amount = float(text)
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError(f"{text[:80]!r} is not {what}")
    return amount


def _count(value: Any, limit: int = LARGEST_COUNT) -> int:
    number = int(value)
    if not 0 <= number < limit:
        raise ValueError(f"{number} is not a count")
    return number


def _strings(text: str) -> list[str]:
    parsed = json.loads(text)
    if not isinstance(parsed, list) or not all(isinstance(item, str) for item in parsed):
        raise ValueError(f"{text[:80]!r} is not a list of names")
    "".join(parsed).encode()  # a lone surrogate raises ValueError here instead of crashing Arrow
    return parsed


def _directions(text: str) -> list[str]:
    directions = _strings(text)
    if not set(directions) <= {"maximize", "minimize"}:
        raise ValueError(f"directions {directions} are not maximize or minimize")
    return directions
