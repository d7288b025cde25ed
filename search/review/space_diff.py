"""Compare an earlier search's space with this one, hyperparameter by hyperparameter.

Every change comes with the number of trials it affects. If the earlier space was not logged, the
trials alone are compared. Values are changed in `space/restating.py`.
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

# Bounds that differ by less are equal; they passed through text.
_RELATIVE = 1e-9


@dataclass(frozen=True)
class Tally:
    """Counts over the trials of one search.

    Attributes:
        stated: The earlier search's name -> trials that state it, in order of first appearance.
        fixed: The target's name -> the value as text that trials had though it was not searched ->
            trials (`unsearched.py`).
        unknown: The target's name -> trials in which it is unknown.
        inferred: The target's name -> trials in which its value was inferred.
        problems: (the target's name, problem of its `Read`) -> trials.
    """

    stated: Counter[str]
    fixed: Mapping[str, Counter[str]]
    unknown: Counter[str]
    inferred: Counter[str]
    problems: Counter[tuple[str, str]]


def tally(configurations: Sequence[Mapping[str, object]], restated: Sequence[Restated]) -> Tally:
    """Counts over the trials of one search; both sequences have the same order."""
    fixed: dict[str, Counter[str]] = {}
    for configuration, each in zip(configurations, restated, strict=True):
        for name in each.configuration.keys() - configuration.keys() - each.inferred:
            text = space_values.brief(each.configuration[name])
            fixed.setdefault(name, Counter())[text] += 1
    return Tally(
        Counter(name for configuration in configurations for name in configuration),
        fixed,
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
    """Returns the differences of an earlier search, in this space's order, removed names last."""
    theirs = theirs or SearchSpace({})
    known = theirs.distributions
    found: list[Decision] = []
    for name, distribution in ours.distributions.items():
        text = distribution_text(distribution)
        if name in known:
            found += _compared(search, name, known[name], distribution, counts)
            texts = condition_in_words(theirs, name), condition_in_words(ours, name)
            if texts[0] != texts[1]:
                number = counts.unknown[name]
                found.append(decide(search, name, "condition changed", number, *texts))
        elif name in counts.stated:
            number = counts.problems[name, "outside"]
            found += _if_any(search, name, "narrowed", number, "has values", text)
        elif name in counts.fixed:
            found.append(_fixed(search, name, counts.fixed[name], text))
        else:
            found.append(decide(search, name, "added", counts.unknown[name], "", text))
        if name not in known:
            number = counts.problems[name, "vanished"]
            found += _if_any(search, name, "vanished category", number, "has a value that")
        found += _if_any(search, name, "inferred", counts.inferred[name])
        if not _has_lost_none(known.get(name), distribution):  # else it is a vanished category
            found += _if_any(search, name, "unreadable", counts.problems[name, "missing"])
    for name in dict.fromkeys([*known, *counts.stated]):
        if name not in ours.distributions:
            text = distribution_text(known[name]) if name in known else ""
            found.append(decide(search, name, "removed", counts.stated[name], text))
    return found


def distribution_text(distribution: BaseDistribution) -> str:
    """Returns a distribution as short text: `8..256`, `0.001..0.1 (log)`, `{sgd, adamw}`."""
    if isinstance(distribution, CategoricalDistribution):
        return _set_in_words(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return f"{distribution.low:g}..{distribution.high:g}{' (log)' if distribution.log else ''}"


def _fixed(search: str, name: str, values: Counter[str], ours: str) -> Decision:
    """Return the decision on a hyperparameter that the search had without searching it."""
    theirs = next(iter(values)) if len(values) == 1 else f"{len(values)} values"
    return decide(search, name, "fixed", values.total(), theirs, ours)


def _set_in_words(values: Sequence[object]) -> str:
    texts = [value if isinstance(value, str) else space_values.brief(value) for value in values]
    return "{" + ", ".join(texts) + "}"


def _compared(
    search: str, name: str, theirs: BaseDistribution, ours: BaseDistribution, counts: Tally
) -> list[Decision]:
    kinds = _kind(theirs), _kind(ours)
    found = []
    if kinds[0] != kinds[1]:
        found.append(decide(search, name, "kind changed", counts.stated[name], *kinds))
    if isinstance(ours, CategoricalDistribution):
        return found + _categories(search, name, theirs, ours, counts)
    texts = distribution_text(theirs), distribution_text(ours)
    outside = counts.problems[name, "outside"]
    if isinstance(theirs, CategoricalDistribution):
        return found + _if_any(search, name, "narrowed", outside, *texts)
    assert isinstance(theirs, FloatDistribution | IntDistribution)
    assert isinstance(ours, FloatDistribution | IntDistribution)
    kind = _range_change(theirs, ours)
    if kind is not None:
        found.append(decide(search, name, kind, outside, *texts))
    else:  # outside their own range too: the space was changed during the search
        found += _if_any(search, name, "narrowed", outside, *texts)
    scales = _scale(theirs), _scale(ours)
    between = counts.problems[name, "between"]
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


def _has_lost_none(theirs: BaseDistribution | None, ours: BaseDistribution) -> bool:
    """Whether None was a choice there, as it may be in Optuna, and is none of the choices here."""
    kinds = theirs, ours
    if not all(isinstance(each, CategoricalDistribution) for each in kinds):
        return False
    had, has = (None in getattr(each, "choices", ()) for each in kinds)
    return had and not has


def _categories(
    search: str,
    name: str,
    theirs: BaseDistribution,
    ours: CategoricalDistribution,
    counts: Tally,
) -> list[Decision]:
    vanished = counts.problems[name, "vanished"]
    if _has_lost_none(theirs, ours):
        vanished += counts.problems[name, "missing"]
    if not isinstance(theirs, CategoricalDistribution):
        return _if_any(search, name, "vanished category", vanished, distribution_text(theirs))
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


def _if_any(
    search: str, name: str, kind: Kind, trials: int, theirs: str = "", ours: str = ""
) -> list[Decision]:
    return [decide(search, name, kind, trials, theirs, ours)] if trials else []


def condition_in_words(space: SearchSpace, name: str) -> str:
    """Returns when a hyperparameter is active: `always`, `when optimizer in {sgd}`."""
    when = space.conditions.get(name, {})
    parts = [
        f"{parent} in {_set_in_words(sorted(values, key=repr))}"
        for parent, values in sorted(when.items())
    ]
    return "when " + " and ".join(parts) if parts else "always"
