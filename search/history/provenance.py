"""Provenance: what proposed a trial and from which earlier runs, as its run records it.

Reads a record from a store that anybody can write to, so a part of the wrong type counts as not
recorded; the trial itself stays. Writes the same facts as a sentence that stays readable with 100
tasks. Not for computing them (`apply/provenance.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from search.history.forecast import Forecast, read_forecast
from search.history.plurals import counted
from search.history.records import count_of, line_of, mapping_of, number_of
from search.history.revalidation import CONFIRM, Revalidation, read_revalidation
from search.history.risk import Risk, read_risk

UNKNOWN = "unknown"
CONTROL = "control"
# The guard's decisions: use all of history, only tasks that agree with this search, or nothing.
DECISIONS = ("all", "agreeing", "none")


@dataclass(frozen=True)
class Guard:
    """The guard's decision when a trial was proposed.

    Attributes:
        history: One of `DECISIONS`, or "" if not recorded.
        log_evidence: Log evidence of the best model with history minus that of the model without;
            above 0 favours history. NaN if not recorded.
        trials: Complete trials of this search at that time; None if not recorded.
        dropped: Task -> the reason why it is not used.
        agreement: Task -> Kendall's tau between its predictions and this search's results.
    """

    history: str = ""
    log_evidence: float = math.nan
    trials: int | None = None
    dropped: Mapping[str, str] = field(default_factory=dict)
    agreement: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """The origin of a trial's configuration.

    Attributes:
        step: The step of `apply/` that proposed it, or "unknown".
        source_runs: Ids of the past runs it was made from, or that are nearest to it.
        source_tasks: Task -> weight, the heaviest first; below 0 if the task counts in reverse.
        sampler: Name of the method; "" if not recorded.
        prior_trials: Number of trials of the same task, from earlier searches, in the model.
        guard: None without history to guard against.
        is_repeated: Whether it repeats a configuration because all have been tried.
        reason: Why it was not proposed as planned; usually "".
        revalidates: The record of the best known trial, if it trains that one again.
        forecast: What was expected of it.
        risk: The risk that it fails.
    """

    step: str = UNKNOWN
    source_runs: tuple[str, ...] = ()
    source_tasks: Mapping[str, float] = field(default_factory=dict)
    sampler: str = ""
    prior_trials: int = 0
    guard: Guard | None = None
    is_repeated: bool = False
    reason: str = ""
    revalidates: Revalidation | None = None
    forecast: Forecast = field(default_factory=Forecast)
    risk: Risk = field(default_factory=Risk)

    @property
    def arm(self) -> str:
        """The arm of the search: "control" if proposed without history, else "main"."""
        return CONTROL if self.step == CONTROL else "main"


def read_origin(record: object) -> Origin:
    """Read an origin from plain data; missing or malformed parts get their defaults."""
    record = mapping_of(record)
    runs = record.get("source_runs")
    tasks = _numbers(record.get("source_tasks"))
    return Origin(
        step=line_of(record.get("step")) or UNKNOWN,
        source_runs=tuple(
            line_of(run) for run in (runs if isinstance(runs, list | tuple) else ()) if line_of(run)
        ),
        source_tasks=dict(sorted(tasks.items(), key=lambda each: (-abs(each[1]), each[0]))),
        sampler=line_of(record.get("sampler")),
        prior_trials=count_of(record.get("prior_trials")) or 0,
        guard=_guard(record.get("guard")),
        is_repeated=record.get("repeated") is True,
        reason=line_of(record.get("reason")),
        revalidates=read_revalidation(record),
        forecast=read_forecast(record),
        risk=read_risk(record),
    )


def expected_of(origin: Origin) -> Forecast:
    """Return what was expected: the forecast, with the values on record of a trial trained again.

    Their intervals are what is accepted, infinite where there is no bound.
    """
    known = origin.revalidates
    if known is None:
        return origin.forecast
    anything = (-math.inf, math.inf)
    values = {
        metric: (value, *known.accepted.get(metric, anything))
        for metric, value in known.expected.items()
    }
    return replace(origin.forecast, values=values)


def ledger_columns(origin: Origin) -> dict[str, Any]:
    """Return an origin as flat columns, nested ones as JSON; None where nothing is recorded."""
    guard, forecast = origin.guard or Guard(), origin.forecast
    return {
        "origin.step": origin.step,
        "origin.arm": origin.arm,
        "origin.sampler": origin.sampler or None,
        "origin.prior_trials": origin.prior_trials,
        "origin.is_repeated": origin.is_repeated,
        "origin.source_runs": json.dumps(list(origin.source_runs)),
        "origin.source_tasks": json.dumps(dict(origin.source_tasks)),
        "forecast.cost": forecast.cost or None,
        "forecast.unit": forecast.unit if forecast.cost else None,
        "forecast.value": json.dumps(dict(forecast.values)) if forecast.values else None,
        "forecast.rank": json.dumps(dict(forecast.ranks)) if forecast.ranks else None,
        "guard.history": guard.history or None,
        "guard.log_evidence": guard.log_evidence if math.isfinite(guard.log_evidence) else None,
        "guard.trials": guard.trials,
        "guard.dropped": json.dumps(dict(guard.dropped)) if origin.guard else None,
        "guard.agreement": json.dumps(dict(guard.agreement)) if origin.guard else None,
    }


def ledger_metrics(origin: Origin) -> dict[str, float]:
    """Return the numbers of an origin by which the tracking page can filter trials."""
    if origin.guard is None or not math.isfinite(origin.guard.log_evidence):
        return {}
    return {
        "guard.log_evidence": origin.guard.log_evidence,
        "guard.tasks_dropped": float(len(origin.guard.dropped)),
    }


def _guard(record: object) -> Guard | None:
    if not isinstance(record, Mapping):
        return None
    history = line_of(record.get("history"))
    return Guard(
        history=history if history in DECISIONS else "",
        log_evidence=number_of(record.get("log_evidence")),
        trials=count_of(record.get("trials")),
        dropped={
            line_of(task): line_of(why)
            for task, why in mapping_of(record.get("dropped")).items()
            if line_of(task)
        },
        agreement=_numbers(record.get("agreement")),
    )


def _numbers(record: object) -> dict[str, float]:
    found = {line_of(name): number_of(value) for name, value in mapping_of(record).items()}
    return {name: value for name, value in found.items() if name and math.isfinite(value)}


TASKS_NAMED = 3
RUNS_NAMED = 5
# A likelihood ratio below two in either direction is reported as no evidence: Kass and Raftery
# 1995, "Bayes factors", call anything below three "not worth more than a bare mention".
NO_EVIDENCE = math.log(2)
# A larger factor tells a reader nothing more.
LARGEST_FACTOR = 1000

_STEPS = {
    "opening": "It belongs to the cold opening: the middle of the space, then random "
    "configurations, until there are results to model",
    "random": "It was drawn at random",
    "control": "It belongs to the cold control arm: proposed without history, to measure what "
    "history is worth",
    "first": "It is one of the first configurations that were given, before anything is proposed",
    CONFIRM: "It trains the best known configuration of this task again",
    "given": "It was given, not proposed",
    "unknown": "What proposed it is not recorded",
}


def provenance_text(origin: Origin, trial_names: Mapping[str, str] | None = None) -> str:
    """Say why a trial was tried, in a sentence or two.

    Args:
        origin: The origin of its configuration.
        trial_names: Run -> SEARCH#TRIAL; a run that has none is called by its id.
    """
    because = f" because {origin.reason}" if origin.reason else ""
    if origin.step in ("portfolio", "earlier-best", "history-model", "prior-model", "model"):
        text = _proposed(origin) + because
    else:
        named = f"It was proposed by the {origin.step} step{_by(origin)}"
        text = _STEPS.get(origin.step, named) + because
        if origin.revalidates is not None and origin.revalidates.expected:
            text += f", expected to reach {origin.revalidates.expected_in_words()}"
    repeated = "No untried configuration was left, so it repeats one." if origin.is_repeated else ""
    expected, risk = origin.forecast.in_words(), origin.risk.in_words(trial_names or {})
    parts = (
        text + ".", _sources(origin, trial_names or {}), _dropped(origin.guard), repeated,
        f"Expected: {expected}." if expected else "", f"{risk}." if risk else "",
    )  # fmt: skip
    return " ".join(part for part in parts if part)


def tasks_in_words(weights: Mapping[str, float]) -> str:
    """Write tasks with weights, the heaviest named: "mnist 0.61, fashion in reverse 0.09"."""
    ordered = sorted(weights.items(), key=lambda each: (-abs(each[1]), each[0]))
    named = [
        f"{task} {'in reverse ' if weight < 0 else ''}{abs(weight):.2f}"
        for task, weight in ordered[:TASKS_NAMED]
    ]
    rest = [abs(weight) for _, weight in ordered[TASKS_NAMED:]]
    if rest:
        named.append(f"{len(rest)} more with {sum(rest):.2f} together")
    return ", ".join(named)


def evidence_in_words(log_evidence: float) -> str:
    """Say how much this search's results favour history; "" if that is not recorded."""
    if not math.isfinite(log_evidence):
        return ""
    number = f"(log evidence {log_evidence:.1f})"
    if abs(log_evidence) < NO_EVIDENCE:
        return f"the results so far are neither for nor against history {number}"
    if abs(log_evidence) > math.log(LARGEST_FACTOR):
        factor = f"more than {LARGEST_FACTOR:,}"
    else:
        factor = f"{math.exp(abs(log_evidence)):.2g}"
    side = "for" if log_evidence > 0 else "against"
    return f"the results so far are {side} history by a factor of {factor} {number}"


def names_in_words(names: list[str], named: int = TASKS_NAMED) -> str:
    """Write the first of many names: "a, b, c and 4 more"."""
    more = f" and {len(names) - named} more" if len(names) > named else ""
    return ", ".join(names[:named]) + more


def _proposed(origin: Origin) -> str:
    tasks, count = tasks_in_words(origin.source_tasks), len(origin.source_tasks)
    earlier = f"{counted(count, 'earlier task')} ({tasks})" if count else ""
    prior = origin.prior_trials
    known = f"{counted(prior, 'earlier trial')} of this same task" if prior else ""
    if origin.step == "portfolio":
        where = f"on {earlier}" if earlier else "elsewhere"
        return f"It comes from the portfolio, before any model: it did well {where}"
    if origin.step == "earlier-best":
        return f"It is the best configuration of {earlier or 'an earlier task'}"
    if origin.step == "history-model":
        weighted = f"a model that weights {earlier or 'earlier tasks'}"
        what = f"{weighted} and is fitted to {known}" if known else weighted
    elif origin.step == "prior-model":
        what = f"a model fitted to {known or 'earlier trials of this same task'}"
    else:
        what = f"a model of this search's own trials{f' and {known}' if known else ' alone'}"
    return f"It was proposed by {what}{_by(origin)}{_guarded(origin.guard)}"


def _guarded(guard: Guard | None) -> str:
    if guard is None:
        return ""
    text = "" if guard.trials is None else f", after {counted(guard.trials, 'trial')} here"
    evidence = evidence_in_words(guard.log_evidence)
    if guard.history == "none":
        return f"{text}; history is not used" + (f": {evidence}" if evidence else "")
    if not evidence or not guard.trials:  # before the first result there is no evidence
        return text
    # Each objective decides for itself, so one may use history that all together are against.
    return f"{text}; {'even so, ' if guard.log_evidence < 0 else ''}{evidence}"


def _sources(origin: Origin, trial_names: Mapping[str, str]) -> str:
    if not origin.source_runs:
        return ""
    one = len(origin.source_runs) == 1
    named = [trial_names.get(run, "") for run in origin.source_runs]
    if all(named):
        lead, noun = "Tried before as", ""
    else:
        named = [name or run for name, run in zip(named, origin.source_runs, strict=True)]
        lead, noun = "Tried before in", "run " if one else "runs "
    if origin.step not in ("portfolio", "earlier-best", CONFIRM):
        lead = f"Nearest earlier {'trial' if one else 'trials'}:"
    return f"{lead} {noun}{names_in_words(named, RUNS_NAMED)}."


def _dropped(guard: Guard | None) -> str:
    if guard is None or not guard.dropped or guard.history == "none":
        return ""
    many = "earlier tasks are dropped, such as"
    lead = counted(len(guard.dropped), "earlier task is dropped,", many)
    task, why = min(guard.dropped.items())
    return f"{lead} {task}{f': {why}' if why else ''}."


def _by(origin: Origin) -> str:
    """Name the sampler in brackets, unless it is our own model."""
    return f" ({origin.sampler})" if origin.sampler not in ("", "transfer") else ""
