"""What a search optimized, in words: how its objectives count, and which trials are called best.

Not for choosing the best (`objectives/roles.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from search.history import Search, Trial
from search.objectives import Objective
from search.objectives.roles import constrained_losses, is_plain, judging_indices, lexicographic_of


def best_in_words(search: Search) -> str:
    """A heading that says by what the best trials of a search are the best."""
    if is_plain(search.objectives):
        return "Pareto front" if len(search.objectives) > 1 else "Best"
    counting = [search.metrics[index] for index in judging_indices(search.objectives)]
    word = "Best by" if len(counting) == 1 else "Pareto front of"
    return " ".join([word, " and ".join(counting), *conditions(search)])


def conditions(search: Search) -> list[str]:
    """The conditions a trial must meet to count, a phrase each; none if every trial counts."""
    bounds, tolerance = bounds_in_words(search), tolerance_in_words(search)
    return [text for text in (bounds and f"under {bounds}", tolerance) if text]


def bounds_in_words(search: Search) -> str:
    """The bounds of a search, such as `accuracy.robust >= 0.80`; "" without any."""
    bounded = [each for each in search.objectives if each.role.bound is not None]
    return " and ".join(bound_in_words(each) for each in bounded)


def bound_in_words(objective: Objective) -> str:
    """The bound of one objective, such as `accuracy.robust >= 0.80`."""
    sign = ">=" if objective.is_maximized else "<="
    return f"{objective.metric} {sign} {_number(objective.role.bound or 0.0)}"


def tolerance_in_words(search: Search) -> str:
    """How far a trial may be from the best first objective; "" if that does not matter."""
    index = lexicographic_of(search.objectives)
    if index is None:
        return ""
    tolerance = _number(search.objectives[index].role.tolerance or 0.0)
    return f"within {tolerance} of the best {search.metrics[0]}"


def objectives_in_words(search: Search) -> str:
    """All objectives, their directions, and how they count if not as usual."""
    texts = []
    for objective in search.objectives:
        text = f"{objective.direction} {objective.metric}"
        match objective.role.name:
            case "constraint":
                text = f"keep {bound_in_words(objective)}"
            case "lexicographic":
                text = f"{text} {tolerance_in_words(search)}"
            case "report":
                text = f"report {objective.metric}"
        texts.append(text)
    return ", ".join(texts)


def none_keeps(search: Search, best: Sequence[Trial]) -> str:
    """A warning that no trial keeps the bounds, and by how much; "" if some do."""
    missed = constrained_losses([each.values for each in best], search.objectives).violation
    if not len(missed) or min(missed) <= 0:
        return ""
    return (
        f"No complete trial keeps {bounds_in_words(search)}. The closest misses it by "
        f"{_number(min(missed))}."
    )


def _number(value: float) -> str:
    """Two decimals where they suffice, none for a whole number: 0.80, 30, 0.0125."""
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.2f}" if round(value, 2) == value else f"{value:.4g}"
