"""Decisions: how earlier searches were fitted to this one, each with the trials it touches.

For a person to check, and for the report. Not for making them (`space_diff.py`, `renames.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal[
    "proposed rename", "renamed", "objective renamed", "direction turned", "kind changed",
    "scale changed", "moved", "narrowed", "widened", "vanished category", "new category",
    "condition changed", "added", "inferred", "removed", "unreadable",
]  # fmt: skip

_VARIANTS_LISTED = 3
_OUTSIDE = "{subject} {theirs} {where}, {ours} here: {trials} outside and {stay} at {their} place"
# In the order in which they are listed: what a person can act on comes first.
_SENTENCES: dict[Kind, str] = {
    "proposed rename": "{theirs} {where} looks like {subject}, which is missing there: add "
    "`history.rename: {{{theirs}: {subject}}}` to use it in {trials}",
    "renamed": "{theirs} {where} counts as {subject}: {trials}",
    "objective renamed": "{theirs} {where} stands for {subject}: {trials}, by rank only",
    "direction turned": "{subject} was to {theirs} {where}, to {ours} here: turned around in "
    "{trials}, by rank only",
    "kind changed": "{subject} is {theirs} {where}, {ours} here: read as such in {trials}",
    "scale changed": "{subject} is {theirs} {where}, {ours} here: values stay what they were",
    "moved": _OUTSIDE,
    "narrowed": _OUTSIDE,
    "widened": "{subject} {theirs} {where}, {ours} here: nothing is known beyond",
    "vanished category": "{subject} {theirs} {where} does not exist here: unknown in {trials}, "
    "which otherwise count",
    "new category": "{subject} {ours} is new here: never tried {where}",
    "condition changed": "{subject} is active {theirs} {where}, {ours} here: unknown in {trials}",
    "added": "{subject} {ours} is new here: missing {where}, unknown in {trials}",
    "inferred": "{subject} is missing {where}: told from what depends on it in {trials}",
    "removed": "{subject} {theirs} {where} is not searched here: passed over in {trials}",
    "unreadable": "{subject} has values {where} that cannot be read: unknown in {trials}",
}


@dataclass(frozen=True)
class Decision:
    """How one earlier search was fitted to this one, in one respect; JSON-able.

    Attributes:
        search: Its id.
        subject: The target's hyperparameter or objective; for one that was removed, history's.
        kind: What changed.
        trials: How many of its trials this touches.
        theirs: How it was there, such as `8..256`; empty if it was not.
        ours: How it is here.
        sentence: All of it for a person.
    """

    search: str
    subject: str
    kind: Kind
    trials: int
    theirs: str
    ours: str
    sentence: str


def decide(
    search: str, subject: str, kind: Kind, trials: int, theirs: str = "", ours: str = ""
) -> Decision:
    """A decision with its sentence."""
    decision = Decision(search, subject, kind, trials, theirs, ours, "")
    sentence = _sentence(decision, f"in {search}", trials)
    return Decision(search, subject, kind, trials, theirs, ours, sentence)


def decision_lines(decisions: Iterable[Decision]) -> list[str]:
    """One line a decision, those of searches that agree in one; what can be acted on first.

    Where nobody logged a space, each search has the range that its own trials show. So a change
    that differs in more than `_VARIANTS_LISTED` ways has one line too, with the most frequent.
    """
    variants: dict[tuple[Kind, str, str], dict[str, list[Decision]]] = {}
    for each in decisions:
        alike = variants.setdefault((each.kind, each.subject, each.ours), {})
        alike.setdefault(each.theirs, []).append(each)
    groups: list[list[Decision]] = []
    for alike in variants.values():
        if len(alike) <= _VARIANTS_LISTED:
            groups += alike.values()
            continue
        first, *others = sorted(alike.values(), key=len, reverse=True)
        text = f"{first[0].theirs} (and {len(others)} other ways)"
        joined = [first, *others]
        groups.append([replace(each, theirs=text) for group in joined for each in group])
    order = list(_SENTENCES)
    groups.sort(key=lambda group: (order.index(group[0].kind), -_sum(group)))
    return [_line(group) for group in groups]


def _line(group: Sequence[Decision]) -> str:
    many = f"in {len(group)} earlier searches"
    where = f"in {group[0].search}" if len(group) == 1 else many
    return f"{group[0].kind}: {_sentence(group[0], where, _sum(group))}"


def _sum(group: Sequence[Decision]) -> int:
    return sum(each.trials for each in group)


def _sentence(decision: Decision, where: str, trials: int) -> str:
    is_one = trials == 1
    count = f"{trials} trial" if is_one else f"{trials} trials"
    if decision.kind in ("moved", "narrowed"):
        count += " lies" if is_one else " lie"
    text = _SENTENCES[decision.kind].format(
        subject=decision.subject,
        theirs=decision.theirs,
        ours=decision.ours,
        where=where,
        trials=count,
        stay="stays in the model" if is_one else "stay in the model",
        their="its" if is_one else "their",
    )
    return " ".join(text.split())  # one line, whatever a name holds
