"""Origins: what proposed a trial, as its run records it, read with care.

A record comes back from a store that anybody can write to, so a part that is not what it should be
counts as not recorded; the trial itself stays. Not for making the records, that is `apply/`, nor
for saying them in words, that is `origin_words.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "unknown"
CONTROL = "control"
# The guard's decisions: history as a whole, those tasks that agree with what was seen, nothing.
DECISIONS = ("all", "agreeing", "none")
# Names of tasks and runs are shorter; what is longer was not written by us.
LONGEST_NAME = 250
LARGEST_COUNT = 2**31


@dataclass(frozen=True)
class Guard:
    """What the guard had decided when a trial was proposed.

    Attributes:
        history: One of `DECISIONS`, or "" if not recorded.
        log_evidence: Of the best model with history over the one without; above 0 speaks for
            history. NaN if not recorded.
        trials: Complete trials of this search that it had seen; None if not recorded.
        dropped: Task -> why it is left aside.
        agreement: Task -> Kendall's tau of its predictions with what was seen here.
    """

    history: str = ""
    log_evidence: float = math.nan
    trials: int | None = None
    dropped: Mapping[str, str] = field(default_factory=dict)
    agreement: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """What proposed a trial.

    Attributes:
        step: The step of `apply/` that did, or "unknown".
        source_runs: Ids of the past runs it was made from, or that lie nearest to it.
        source_tasks: Task -> weight, the heaviest first; below 0 if it counts in reverse.
        sampler: Name of the method; "" if not recorded.
        prior_trials: Trials of this very task that earlier searches made and the method knew.
        guard: None if there was nothing to guard.
        is_repeated: Whether nothing untried was left.
        reason: Why it was proposed otherwise than planned; mostly "".
    """

    step: str = UNKNOWN
    source_runs: tuple[str, ...] = ()
    source_tasks: Mapping[str, float] = field(default_factory=dict)
    sampler: str = ""
    prior_trials: int = 0
    guard: Guard | None = None
    is_repeated: bool = False
    reason: str = ""

    @property
    def arm(self) -> str:
        """What the trial belongs to: "control" if it knows nothing of history, else "main"."""
        return CONTROL if self.step == CONTROL else "main"


def read_origin(record: object) -> Origin:
    """An origin from plain data; what is missing or misshapen is left at its default."""
    if not isinstance(record, Mapping):
        return Origin()
    runs = record.get("source_runs")
    tasks = _numbers(record.get("source_tasks"))
    return Origin(
        step=_text(record.get("step")) or UNKNOWN,
        source_runs=tuple(
            _text(run) for run in (runs if isinstance(runs, list | tuple) else ()) if _text(run)
        ),
        source_tasks=dict(sorted(tasks.items(), key=lambda each: (-abs(each[1]), each[0]))),
        sampler=_text(record.get("sampler")),
        prior_trials=_count(record.get("prior_trials")) or 0,
        guard=_guard(record.get("guard")),
        is_repeated=record.get("repeated") is True,
        reason=_text(record.get("reason")),
    )


def ledger_columns(origin: Origin) -> dict[str, Any]:
    """An origin as flat columns, the nested ones as JSON; None where nothing is recorded."""
    guard = origin.guard or Guard()
    return {
        "origin.step": origin.step,
        "origin.arm": origin.arm,
        "origin.sampler": origin.sampler or None,
        "origin.prior_trials": origin.prior_trials,
        "origin.is_repeated": origin.is_repeated,
        "origin.source_runs": json.dumps(list(origin.source_runs)),
        "origin.source_tasks": json.dumps(dict(origin.source_tasks)),
        "guard.history": guard.history or None,
        "guard.log_evidence": guard.log_evidence if math.isfinite(guard.log_evidence) else None,
        "guard.trials": guard.trials,
        "guard.dropped": json.dumps(dict(guard.dropped)) if origin.guard else None,
        "guard.agreement": json.dumps(dict(guard.agreement)) if origin.guard else None,
    }


def ledger_metrics(origin: Origin) -> dict[str, float]:
    """What of an origin is a number to filter and compare trials by in a tracking page."""
    if origin.guard is None or not math.isfinite(origin.guard.log_evidence):
        return {}
    return {
        "guard.log_evidence": origin.guard.log_evidence,
        "guard.tasks_dropped": float(len(origin.guard.dropped)),
    }


def _guard(record: object) -> Guard | None:
    if not isinstance(record, Mapping):
        return None
    history, dropped = record.get("history"), record.get("dropped")
    evidence = _number(record.get("log_evidence"))
    return Guard(
        history=history if isinstance(history, str) and history in DECISIONS else "",
        log_evidence=math.nan if evidence is None else evidence,
        trials=_count(record.get("trials")),
        dropped={
            _text(task): _text(why)
            for task, why in (dropped.items() if isinstance(dropped, Mapping) else ())
            if _text(task)
        },
        agreement=_numbers(record.get("agreement")),
    )


def _numbers(record: object) -> dict[str, float]:
    if not isinstance(record, Mapping):
        return {}
    found = {_text(name): _number(value) for name, value in record.items() if _text(name)}
    return {name: value for name, value in found.items() if value is not None}


def _number(value: object) -> float | None:
    """A finite number, or None. An integer too large for a float is none either."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < LARGEST_COUNT else None


def _text(value: object) -> str:
    """One line of printable text; escapes of a terminal and lone surrogates become "?"."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * LONGEST_NAME].split())[:LONGEST_NAME]
    return "".join(character if character.isprintable() else "?" for character in line)
