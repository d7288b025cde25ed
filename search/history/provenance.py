"""Provenance: what proposed a trial and from which earlier runs, as its run records it.

A record comes back from a store that anybody can write to, so a part that is not what it should be
counts as not recorded; the trial itself stays. The same facts are written here as a sentence that
stays readable with 100 tasks. Not for computing them, that is `apply/`.
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


TASKS_NAMED = 3
RUNS_NAMED = 5
# A likelihood ratio below two in either direction is said to be no evidence: Kass and Raftery 1995,
# "Bayes factors", call anything below three "not worth more than a bare mention".
NO_EVIDENCE = math.log(2)
# What a model with history has beyond this no reader weighs any more.
LARGEST_FACTOR = 1000

_STEPS = {
    "opening": "It belongs to the cold opening: the middle of the space, then random "
    "configurations, until there is something to model",
    "random": "It was drawn at random",
    "control": "It belongs to the cold control arm: proposed as a search without history would, "
    "to measure what history is worth",
    "given": "It was given, not proposed",
    "unknown": "What proposed it is not recorded",
}


def provenance_text(origin: Origin) -> str:
    """Why a trial was tried, in a sentence or two."""
    if origin.step in ("portfolio", "history-model", "prior-model", "model"):
        text = _proposed(origin)
    else:
        named = f"It was proposed by the {origin.step} step{_by(origin)}"
        text = _STEPS.get(origin.step, named)
        text += f" because {origin.reason}" if origin.reason else ""
        # An arm's guard, where it has one, says nothing of the trial.
    parts = [text + ".", _sources(origin), _left_aside(origin.guard)]
    if origin.is_repeated:
        parts.append("Nothing untried was left, so it repeats a configuration.")
    return " ".join(part for part in parts if part)


def tasks_in_words(weights: Mapping[str, float]) -> str:
    """Tasks and their weights, the heaviest named: "mnist 0.61, fashion in reverse 0.09"."""
    ordered = sorted(weights.items(), key=lambda each: (-abs(each[1]), each[0]))
    named = [
        f"{task} {'in reverse ' if weight < 0 else ''}{abs(weight):.2f}"
        for task, weight in ordered[:TASKS_NAMED]
    ]
    rest = ordered[TASKS_NAMED:]
    if rest:
        share = sum(abs(weight) for _, weight in rest)
        named.append(f"{len(rest)} more with {share:.2f} together")
    return ", ".join(named)


def evidence_in_words(log_evidence: float) -> str:
    """How far what was seen here speaks for history; "" if that is not known."""
    if not math.isfinite(log_evidence):
        return ""
    number = f"(log evidence {log_evidence:.1f})"
    if abs(log_evidence) < NO_EVIDENCE:
        return f"what was seen here speaks neither for nor against history {number}"
    if abs(log_evidence) > math.log(LARGEST_FACTOR):
        factor = f"more than {LARGEST_FACTOR:,}"
    else:
        factor = f"{math.exp(abs(log_evidence)):.2g}"
    side = "for" if log_evidence > 0 else "against"
    return f"history speaks {side} itself here by a factor of {factor} {number}"


def names_in_words(names: list[str], named: int = TASKS_NAMED) -> str:
    """Some names of many: "a, b, c and 4 more"."""
    more = f" and {len(names) - named} more" if len(names) > named else ""
    return ", ".join(names[:named]) + more


def _proposed(origin: Origin) -> str:
    tasks, count = tasks_in_words(origin.source_tasks), len(origin.source_tasks)
    earlier = f"{count} earlier task{'s' if count != 1 else ''} ({tasks})" if count else ""
    known = ""
    if origin.prior_trials:
        known = f"{_trials(origin.prior_trials, 'earlier')} of this very task"
    if origin.step == "portfolio":
        whom = f" for {earlier}" if earlier else " elsewhere"
        return f"It comes from the portfolio, before any model: what served well{whom}"
    if origin.step == "history-model":
        what = f"a model that leans on {earlier or 'earlier tasks'}"
        what += f" and knows {known}" if known else ""
    elif origin.step == "prior-model":
        what = f"a model of this task that knows {known or 'earlier trials of it'}"
    else:
        what = f"a model of this search's own trials{f' and {known}' if known else ' alone'}"
    return f"It was proposed by {what}{_by(origin)}{_guarded(origin.guard)}"


def _guarded(guard: Guard | None) -> str:
    if guard is None:
        return ""
    parts = [] if guard.trials is None else [f", after {_trials(guard.trials)} here"]
    evidence = evidence_in_words(guard.log_evidence)
    if guard.history == "none":
        parts.append("; history is not used" + (f": {evidence}" if evidence else ""))
    elif evidence and guard.trials:  # before the first result nothing can have been evidence
        # Each objective decides for itself, so one may use what all together speak against.
        parts.append(f"; {'even so, ' if guard.log_evidence < 0 else ''}{evidence}")
    return "".join(parts)


def _sources(origin: Origin) -> str:
    if not origin.source_runs:
        return ""
    noun = "run" if len(origin.source_runs) == 1 else "runs"
    lead = "Tried before in" if origin.step == "portfolio" else "Nearest earlier trials:"
    return f"{lead} {noun} {names_in_words(list(origin.source_runs), RUNS_NAMED)}."


def _left_aside(guard: Guard | None) -> str:
    if guard is None or not guard.dropped or guard.history == "none":
        return ""
    count = len(guard.dropped)
    noun = "earlier task is" if count == 1 else "earlier tasks are"
    task, why = next(iter(sorted(guard.dropped.items())))
    such = "" if count == 1 else "such as "
    return f"{count} {noun} left aside, {such}{task}{f': {why}' if why else ''}."


def _by(origin: Origin) -> str:
    """The sampler, where it is not our own model, which needs no name."""
    return f" ({origin.sampler})" if origin.sampler not in ("", "transfer") else ""


def _trials(count: int, kind: str = "") -> str:
    return f"{count} {f'{kind} ' if kind else ''}trial{'' if count == 1 else 's'}"
