"""What the guard did during a search, from the origins of its trials.

For saying when history, or single earlier tasks, were let go for good. What was taken up again
before the end is not said to have been dropped. Not for judging history itself, that is `apply/`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.history import Trial
from search.history.provenance import CONTROL, Guard, evidence_in_words, names_in_words, read_origin

# Tasks that were let go are named up to here.
TASKS_NAMED = 3


@dataclass(frozen=True)
class GuardDecision:
    """The guard's decision before one trial.

    Attributes:
        number: Of the trial.
        history: "all", "agreeing", "none", or "" if not recorded.
        log_evidence: Above 0 speaks for history; None if not recorded.
        seen: Complete trials of this search that it rests on; None if not recorded.
        dropped: Earlier tasks that were left aside.
    """

    number: int
    history: str
    log_evidence: float | None
    seen: int | None
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """An earlier task that was used, and left aside from some trial on to the end.

    Attributes:
        task: Its id.
        after: Number of the last trial that could lean on it.
        reason: As recorded.
    """

    task: str
    after: int
    reason: str


@dataclass(frozen=True)
class GuardRecord:
    """What the guard did.

    Attributes:
        decisions: One a trial that it judged, by number.
        dropped_after: Number of the last trial that could lean on history, if from then on none
            could and what was seen speaks against history; else None.
        let_go: Tasks that were let go while others stayed, the first ones first.
        never_used: Tasks that were left aside from the first decision to the last.
    """

    decisions: tuple[GuardDecision, ...] = ()
    dropped_after: int | None = None
    let_go: tuple[Dropped, ...] = ()
    never_used: tuple[str, ...] = ()


def guard_record(trials: Sequence[Trial]) -> GuardRecord:
    """What the guard did in the trials of a search, in order; the control arm has no guard."""
    found: list[tuple[int, Guard]] = []
    before = None  # the last trial that history could have served before the guard first judged
    for trial in trials:
        origin = read_origin(trial.origin)
        if origin.guard is not None and origin.step != CONTROL:
            found.append((trial.number, origin.guard))
        elif not found and origin.source_tasks:
            before = trial.number
    if not found:
        return GuardRecord()
    dropped_after = _dropped_after(found, before)
    let_go, never = _dropped(found)
    return GuardRecord(
        decisions=tuple(_decision(number, guard) for number, guard in found),
        dropped_after=dropped_after,
        let_go=tuple(
            each for each in let_go if dropped_after is None or each.after < dropped_after
        ),
        never_used=never,
    )


def guard_sentence(done: GuardRecord) -> str:
    """What the guard did, for the verdict; "" if there was nothing to say."""
    if not done.decisions:
        return ""
    parts, last = [], done.decisions[-1]
    if done.dropped_after is not None:
        why = evidence_in_words(math.nan if last.log_evidence is None else last.log_evidence)
        parts.append(
            f"History did not help, dropped after trial {done.dropped_after}"
            f"{f': {why}' if why else ''}."
        )
    elif last.history == "none" and (last.log_evidence or 0.0) < 0:
        parts.append("No model here ever leaned on history: what was seen speaks against it.")
    elif last.history in ("all", "agreeing") and last.seen and last.log_evidence is not None:
        which = {"all": "whole", "agreeing": "in part"}[last.history]
        # Each objective decides for itself, so one may use what all of them together speak against.
        joint = ":" if last.log_evidence >= 0 else ", although"
        parts.append(
            f"History was still in use at the end, {which}{joint} "
            f"{evidence_in_words(last.log_evidence)}."
        )
    if done.let_go:
        named = [f"{each.task} after trial {each.after}" for each in done.let_go]
        parts.append(f"The guard let go of {names_in_words(named, TASKS_NAMED)}.")
    return " ".join(parts)


def _decision(number: int, guard: Guard) -> GuardDecision:
    evidence = guard.log_evidence if math.isfinite(guard.log_evidence) else None
    return GuardDecision(
        number, guard.history, evidence, guard.trials, tuple(sorted(guard.dropped))
    )


def _dropped_after(found: Sequence[tuple[int, Guard]], before: int | None) -> int | None:
    """The last trial with history, if none has any from there to the end.

    Without evidence against it, there was no history to drop, or nobody knows why it is not used.
    """
    last = found[-1][1]
    if last.history != "none" or not last.log_evidence < 0:
        return None
    used = [number for number, guard in found if guard.history != "none"]
    return max(used, default=before)


def _dropped(found: Sequence[tuple[int, Guard]]) -> tuple[list[Dropped], tuple[str, ...]]:
    """Tasks let go for good after they could be used; tasks that never could."""
    let_go, never = [], []
    for task, reason in found[-1][1].dropped.items():
        used = [number for number, guard in found if task not in guard.dropped]
        if used:
            let_go.append(Dropped(task, max(used), reason))
        else:
            never.append(task)
    return sorted(let_go, key=lambda each: (each.after, each.task)), tuple(sorted(never))
