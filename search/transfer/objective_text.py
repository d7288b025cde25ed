"""What a search looked for, in words: how its objectives count, and what is called best.

Not for who is best (`objectives/roles.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from search.history import Search, Trial
from search.objectives import Objective
from search.objectives.roles import aims, is_plain, judging_indices, lexicographic_of


def best_in_words(search: Search) -> str:
    """What the best trials of a search are, as a heading."""
    if is_plain(search.objectives):
        return "Pareto front" if len(search.objectives) > 1 else "Best"
    judging = [search.metrics[index] for index in judging_indices(search.objectives)]
    word = f"Best by {judging[0]}" if len(judging) == 1 else f"Pareto front of {_listed(judging)}"
    return " ".join([word, *conditions(search)])


def conditions(search: Search) -> list[str]:
    """What a trial must keep to count, a phrase each; none if every trial counts."""
    bounds = bounds_in_words(search)
    found = [f"under {_listed(bounds)}"] if bounds else []
    index = lexicographic_of(search.objectives)
    if index is not None:
        tolerance = _number(search.objectives[index].role.tolerance or 0.0)
        found.append(f"within {tolerance} of the best {search.metrics[0]}")
    return found


def bounds_in_words(search: Search) -> list[str]:
    """The bounds of a search, such as `accuracy.robust >= 0.80`."""
    return [bound_in_words(each) for each in search.objectives if each.role.bound is not None]


def bound_in_words(objective: Objective) -> str:
    """One bound."""
    sign = ">=" if objective.is_maximized else "<="
    return f"{objective.metric} {sign} {_number(objective.role.bound or 0.0)}"


def objectives_in_words(search: Search) -> str:
    """All objectives, which way is better, and how they count if not as usual."""
    texts = []
    for objective in search.objectives:
        metric, role = objective.metric, objective.role
        if role.name == "constraint":
            texts.append(f"keep {bound_in_words(objective)}")
            continue
        text = f"{objective.direction} {metric}"
        if role.name == "lexicographic":
            tolerance = _number(role.tolerance or 0.0)
            text += f" within {tolerance} of the best {search.metrics[0]}"
        texts.append(f"report {metric}" if role.name == "report" else text)
    return ", ".join(texts)


def none_keeps(search: Search, best: Sequence[Trial]) -> str:
    """That no trial keeps the bounds, and by how much the best miss them; "" if some do."""
    missed = aims([each.values for each in best], search.objectives).violation
    if not len(missed) or min(missed) <= 0:
        return ""
    bounds = _listed(bounds_in_words(search))
    return (
        f"No complete trial keeps {bounds}. Shown is what misses it least, by "
        f"{_number(min(missed))}."
    )


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(texts)


def _number(value: float) -> str:
    """Two decimals where they say it all: 0.80, 30.00 is 30."""
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.2f}" if round(value, 2) == value else f"{value:.4g}"
