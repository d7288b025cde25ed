"""Decision: one difference between an earlier search and this one, and the trials it affects.

For a person to check, and for the report. `space_diff.py` and `renames.py` find the differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from search.history.plurals import counted

Kind = Literal[
    "proposed rename", "proposed rename of a metric", "renamed", "objective renamed",
    "direction turned", "kind changed",
    "scale changed", "moved", "narrowed", "widened", "vanished category", "new category",
    "condition changed", "fixed", "added", "inferred", "removed", "unreadable",
]  # fmt: skip

_VARIANTS_LISTED = 3
_OUTSIDE = "{subject} {theirs} {where}, {ours} here: {trials} outside and {stay}"
# In the order of the listing: what a person can act on comes first.
_SENTENCES: dict[Kind, str] = {
    "proposed rename": "{theirs} {where} looks like {subject}, which is missing there: add "
    "`history.rename: {{{theirs}: {subject}}}` to use it in {trials}",
    "proposed rename of a metric": "{theirs} {where} looks like {subject}, which was not measured "
    "there: add `history.rename_metrics: {{{theirs}: {subject}}}` to use it in {trials}",
    "renamed": "{theirs} {where} is renamed to {subject}: {trials}",
    "objective renamed": "{theirs} {where} stands for {subject}: {trials}, by rank only",
    "direction turned": "{subject} was to {theirs} {where}, to {ours} here: sign changed in "
    "{trials}, by rank only",
    "kind changed": "{subject} is {theirs} {where}, {ours} here: read as such in {trials}",
    "scale changed": "{subject} is {theirs} {where}, {ours} here: values are unchanged",
    "moved": _OUTSIDE,
    "narrowed": _OUTSIDE,
    "widened": "{subject} {theirs} {where}, {ours} here: nothing is known outside",
    "vanished category": "{subject} {theirs} {where} does not exist here: unknown in {trials}, "
    "where the other values count",
    "new category": "{subject} {ours} is new here: never tried {where}",
    "condition changed": "{subject} is active {theirs} {where}, {ours} here: unknown in {trials}",
    "fixed": "{subject} {ours} was not searched {where}: {theirs} in {trials}, by its settings or "
    "by default",
    "added": "{subject} {ours} is new here: missing {where}, unknown in {trials}",
    "inferred": "{subject} is missing {where}: inferred from what depends on it in {trials}",
    "removed": "{subject} {theirs} {where} is not searched here: ignored in {trials}",
    "unreadable": "{subject} has no value {where}, or none that can be read: unknown in {trials}",
}


@dataclass(frozen=True)
class Decision:
    """One difference between an earlier search and this one; JSON-able.

    Attributes:
        search: Id of the earlier search.
        subject: The target's hyperparameter or objective; a removed one has its name in history.
        kind: What changed.
        trials: How many trials of the earlier search are affected.
        theirs: What the earlier search had, such as `8..256`; empty if it had nothing.
        ours: What this search has.
        sentence: The difference as a sentence.
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
    """Returns a decision with its sentence."""
    decision = Decision(search, subject, kind, trials, theirs, ours, "")
    return replace(decision, sentence=_sentence(decision, f"in {search}", trials))


def decision_lines(decisions: Iterable[Decision]) -> list[str]:
    """Returns a line per decision, the same decision of several searches in one line.

    What a person can act on comes first. A search without a logged space has the range of its own
    trials, so a change with more than `_VARIANTS_LISTED` variants has one line too, which shows the
    most frequent variant.
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
        text = f"{first[0].theirs} (and {len(others)} other variants)"
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
    count = counted(trials, "trial")
    if decision.kind in ("moved", "narrowed"):
        count += " lies" if is_one else " lie"
    text = _SENTENCES[decision.kind].format(
        subject=decision.subject,
        theirs=decision.theirs,
        ours=decision.ours,
        where=where,
        trials=count,
        stay=f"{'stays' if is_one else 'stay'} in the model unchanged",
    )
    return " ".join(text.split())  # one line, even if a name has line breaks
