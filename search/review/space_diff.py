"""What changed between an earlier search's space and this one, hyperparameter by hyperparameter.

Compares the two spaces, and counts in the trials what each change touches. Where nobody stated the
earlier space, the trials alone speak. Not for changing values: `restating.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.review.decisions import Decision, Kind, decide
from search.space import SearchSpace
from search.space import values as space_values
from search.space.restating import Restated

_ALWAYS = "always"
# Two ends that differ by less are the same end, passed through text.
_RELATIVE = 1e-9


@dataclass(frozen=True)
class Tally:
    """What one search's trials hold.

    Attributes:
        stated: Name of the search -> trials that state it, in order of first appearance.
        unknown: The target's name -> trials in which it is unknown.
        inferred: The target's name -> trials in which its value was inferred.
        problems: (the target's name, problem of its `Read`) -> trials.
    """

    stated: Mapping[str, int]
    unknown: Mapping[str, int]
    inferred: Mapping[str, int]
    problems: Mapping[tuple[str, str], int]


def tally(configurations: Sequence[Mapping[str, object]], restated: Sequence[Restated]) -> Tally:
    """Counts the trials of one search; both sequences in one order."""
    return Tally(
        Counter(name for configuration in configurations for name in configuration),
        Counter(name for each in restated for name in each.unknown),
        Counter(name for each in restated for name in each.inferred),
        Counter(
            (name, found.problem)
            for each in restated
            for name, found in each.reads.items()
            if found.problem
        ),
    )


def changes(
    search: str, theirs: SearchSpace | None, ours: SearchSpace, counts: Tally
) -> list[Decision]:
    """What an earlier search did otherwise, in this space's order, removed names last."""
    known = theirs.distributions if theirs is not None else {}
    found: list[Decision] = []
    for name, distribution in ours.distributions.items():
        text = distribution_text(distribution)
        if name in known:
            found += _compared(search, name, known[name], distribution, counts)
            found += _conditions(search, name, theirs, ours, counts)
        elif name in counts.stated:
            found += _outside(search, name, "narrowed", "has values", text, counts)
        else:
            found.append(decide(search, name, "added", counts.unknown.get(name, 0), "", text))
        if name not in known:
            found += _vanished(search, name, "has a value that", counts)
        found += _missing(search, name, counts)
    for name in dict.fromkeys([*known, *counts.stated]):
        if name not in ours.distributions:
            text = distribution_text(known[name]) if name in known else ""
            found.append(decide(search, name, "removed", counts.stated.get(name, 0), text))
    return found


def distribution_text(distribution: BaseDistribution) -> str:
    """A distribution as short text: `8..256`, `0.001..0.1 (log)`, `{sgd, adamw}`."""
    if isinstance(distribution, CategoricalDistribution):
        return _set_in_words(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return f"{distribution.low:g}..{distribution.high:g}{' (log)' if distribution.log else ''}"


def _set_in_words(values: Sequence[object]) -> str:
    texts = [value if isinstance(value, str) else space_values.brief(value) for value in values]
    return "{" + ", ".join(texts) + "}"


def _compared(
    search: str, name: str, theirs: BaseDistribution, ours: BaseDistribution, counts: Tally
) -> list[Decision]:
    kinds = _kind(theirs), _kind(ours)
    found = []
    if kinds[0] != kinds[1]:
        found.append(decide(search, name, "kind changed", counts.stated.get(name, 0), *kinds))
    if isinstance(ours, CategoricalDistribution):
        return found + _categories(search, name, theirs, ours, counts)
    if isinstance(theirs, CategoricalDistribution):
        return found + _outside(
            search, name, "narrowed", distribution_text(theirs), distribution_text(ours), counts
        )
    assert isinstance(theirs, FloatDistribution | IntDistribution)
    assert isinstance(ours, FloatDistribution | IntDistribution)
    kind = _range_change(theirs, ours)
    texts = distribution_text(theirs), distribution_text(ours)
    outside = counts.problems.get((name, "outside"), 0)
    if kind is not None:
        found.append(decide(search, name, kind, outside, *texts))
    elif outside:  # outside their own range as well: the space was changed on the way
        found.append(decide(search, name, "narrowed", outside, *texts))
    scales = _scale(theirs), _scale(ours)
    between = counts.problems.get((name, "between"), 0)
    if scales[0] != scales[1] and (kinds[0] == kinds[1] or between):
        found.append(decide(search, name, "scale changed", between, *scales))
    return found


def _range_change(
    theirs: FloatDistribution | IntDistribution, ours: FloatDistribution | IntDistribution
) -> Kind | None:
    slack = _RELATIVE * max(abs(theirs.low), abs(theirs.high), abs(ours.low), abs(ours.high))
    was_wider = theirs.low < ours.low - slack or theirs.high > ours.high + slack
    was_narrower = theirs.low > ours.low + slack or theirs.high < ours.high - slack
    if was_wider and was_narrower:
        return "moved"
    return "narrowed" if was_wider else "widened" if was_narrower else None


def _scale(distribution: FloatDistribution | IntDistribution) -> str:
    if distribution.log:
        return "logarithmic"
    is_stepped = distribution.step is not None and distribution.step != 1
    return f"linear in steps of {distribution.step:g}" if is_stepped else "linear"


def _kind(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return "a choice"
    return "whole" if isinstance(distribution, IntDistribution) else "real"


def _categories(
    search: str,
    name: str,
    theirs: BaseDistribution,
    ours: CategoricalDistribution,
    counts: Tally,
) -> list[Decision]:
    vanished = counts.problems.get((name, "vanished"), 0)
    if not isinstance(theirs, CategoricalDistribution):
        return _vanished(search, name, distribution_text(theirs), counts)
    reads = [space_values.read(ours, choice) for choice in theirs.choices]
    lost = [choice for choice, found in zip(theirs.choices, reads, strict=True) if found.problem]
    kept = [found.value for found in reads if not found.problem]
    new = [
        choice
        for choice in ours.choices
        if not any(space_values.is_same(choice, other) for other in kept)
    ]
    found = []
    if lost or vanished:
        text = _set_in_words(lost) if lost else "has a value that"
        found.append(decide(search, name, "vanished category", vanished, text))
    if new:
        found.append(decide(search, name, "new category", 0, "", _set_in_words(new)))
    return found


def _vanished(search: str, name: str, theirs: str, counts: Tally) -> list[Decision]:
    number = counts.problems.get((name, "vanished"), 0)
    return [decide(search, name, "vanished category", number, theirs)] if number else []


def _outside(
    search: str, name: str, kind: Kind, theirs: str, ours: str, counts: Tally
) -> list[Decision]:
    number = counts.problems.get((name, "outside"), 0)
    return [decide(search, name, kind, number, theirs, ours)] if number else []


def _missing(search: str, name: str, counts: Tally) -> list[Decision]:
    numbers: dict[Kind, int] = {
        "inferred": counts.inferred.get(name, 0),
        "unreadable": counts.problems.get((name, "missing"), 0),
    }
    return [decide(search, name, kind, number) for kind, number in numbers.items() if number]


def _conditions(
    search: str, name: str, theirs: SearchSpace | None, ours: SearchSpace, counts: Tally
) -> list[Decision]:
    assert theirs is not None
    texts = _condition_in_words(theirs, name), _condition_in_words(ours, name)
    if texts[0] == texts[1]:
        return []
    return [decide(search, name, "condition changed", counts.unknown.get(name, 0), *texts)]


def _condition_in_words(space: SearchSpace, name: str) -> str:
    when = space.conditions.get(name, {})
    parts = [
        f"{parent} in {_set_in_words(sorted(values, key=repr))}"
        for parent, values in sorted(when.items())
    ]
    return "when " + " and ".join(parts) if parts else _ALWAYS
