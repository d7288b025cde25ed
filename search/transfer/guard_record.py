"""The guard's record: what it did during a search, read from the origins of its trials.

It says when history, or single earlier tasks, were dropped for good. What was used again before the
end does not count as dropped. Not for deciding whether history helps, which is done in `apply/`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.history import Trial
from search.history.provenance import CONTROL, Guard, evidence_in_words, names_in_words, read_origin

# At most this many dropped tasks are named.
TASKS_NAMED = 3


@dataclass(frozen=True)
class GuardDecision:
    """The guard's decision before one trial.

    Attributes:
        number: Number of the trial.
        history: "all", "agreeing", "none", or "" if not recorded.
        log_evidence: Above 0 speaks for history; None if not recorded.
        seen: Number of complete trials of this search that it rests on; None if not recorded.
        dropped: Earlier tasks that were not used.
    """

    number: int
    history: str
    log_evidence: float | None
    seen: int | None
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """An earlier task that was used, and from some trial to the end was not.

    Attributes:
        task: Id of the task.
        after: Number of the last trial that could use it.
        reason: The recorded reason.
    """

    task: str
    after: int
    reason: str


@dataclass(frozen=True)
class GuardRecord:
    """What the guard did.

    Attributes:
        decisions: The decisions, in the order of the trials.
        dropped_after: Number of the last trial that could use history, if from then on none could
            and the results speak against history; else None.
        dropped_tasks: Tasks that were dropped while others stayed, in the order of dropping.
        never_used: Tasks that were not used at any decision.
    """

    decisions: tuple[GuardDecision, ...] = ()
    dropped_after: int | None = None
    dropped_tasks: tuple[Dropped, ...] = ()
    never_used: tuple[str, ...] = ()


def guard_record(trials: Sequence[Trial]) -> GuardRecord:
    """Reads what the guard did from a search's trials, in order; the control arm has no guard."""
    found: list[tuple[int, Guard]] = []
    before = None  # the last trial that could use history before the guard's first decision
    for trial in trials:
        origin = read_origin(trial.origin)
        if origin.guard is not None and origin.step != CONTROL:
            found.append((trial.number, origin.guard))
        elif not found and origin.source_tasks:
            before = trial.number
    if not found:
        return GuardRecord()
    last, dropped_after = found[-1][1], None
    dropped_tasks, never_used = _dropped(found)
    # Without evidence against it, there was no history, or it is not known why it is not used.
    if last.history == "none" and last.log_evidence < 0:
        used = [number for number, guard in found if guard.history != "none"]
        dropped_after = max(used, default=before)
    if dropped_after is not None:
        dropped_tasks = [each for each in dropped_tasks if each.after < dropped_after]
    decisions = tuple(
        GuardDecision(
            number=number, history=guard.history, seen=guard.trials,
            log_evidence=guard.log_evidence if math.isfinite(guard.log_evidence) else None,
            dropped=tuple(sorted(guard.dropped)),
        )
        for number, guard in found
    )  # fmt: skip
    return GuardRecord(decisions, dropped_after, tuple(dropped_tasks), tuple(sorted(never_used)))


def guard_sentence(done: GuardRecord) -> str:
    """What the guard did, in words for the verdict; "" if there is nothing to say."""
    if not done.decisions:
        return ""
    texts, last = [], done.decisions[-1]
    evidence = math.nan if last.log_evidence is None else last.log_evidence
    why = evidence_in_words(evidence)
    if done.dropped_after is not None:
        texts.append(
            f"History did not help and was dropped after trial {done.dropped_after}: {why}."
        )
    elif last.history == "none" and evidence < 0:
        texts.append("No model of this search used history: the results speak against it.")
    elif last.history in ("all", "agreeing") and last.seen and why:
        which = {"all": "all of it", "agreeing": "in part"}[last.history]
        # Each objective decides for itself, so one may use what all of them together speak against.
        joint = ":" if evidence >= 0 else ", although"
        texts.append(f"History was still in use at the end ({which}){joint} {why}.")
    if done.dropped_tasks:
        named = [f"{each.task} after trial {each.after}" for each in done.dropped_tasks]
        texts.append(f"The guard dropped {names_in_words(named, TASKS_NAMED)}.")
    return " ".join(texts)


def _dropped(found: Sequence[tuple[int, Guard]]) -> tuple[list[Dropped], list[str]]:
    """Tasks dropped for good after they could be used; tasks that never could be."""
    dropped, never = [], []
    for task, reason in found[-1][1].dropped.items():
        used = [number for number, guard in found if task not in guard.dropped]
        if used:
            dropped.append(Dropped(task, max(used), reason))
        else:
            never.append(task)
    return sorted(dropped, key=lambda each: (each.after, each.task)), never
