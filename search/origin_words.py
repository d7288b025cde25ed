"""Origins in words: why a trial was tried, in a sentence that stays readable with 100 tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search.origins import Guard, Origin

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


def in_words(origin: Origin) -> str:
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
