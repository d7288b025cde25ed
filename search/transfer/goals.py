"""What a search looked for, in words: how its objectives count, and what is called best.

Not for who is best (`search/roles.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from search.history import Search
from search.roles import Role, filled, is_plain, judging_indices, lexicographic_of


def best_in_words(search: Search) -> str:
    """What the best trials of a search are, as a heading."""
    roles = filled(search.roles, len(search.objectives))
    if is_plain(roles):
        return "Pareto front" if len(roles) > 1 else "Best"
    judging = [search.objectives[index] for index in judging_indices(roles)]
    word = f"Best by {judging[0]}" if len(judging) == 1 else f"Pareto front of {_listed(judging)}"
    return " ".join([word, *conditions(search)])


def conditions(search: Search) -> list[str]:
    """What a trial must keep to count, a phrase each; none if every trial counts."""
    roles = filled(search.roles, len(search.objectives))
    bounds = bounds_in_words(search)
    found = [f"under {_listed(bounds)}"] if bounds else []
    index = lexicographic_of(roles)
    if index is not None:
        tolerance = _number(roles[index].tolerance or 0.0)
        found.append(f"within {tolerance} of the best {search.objectives[0]}")
    return found


def bounds_in_words(search: Search) -> list[str]:
    """The bounds of a search, such as `accuracy.robust >= 0.80`."""
    roles = filled(search.roles, len(search.objectives))
    return [
        bound_in_words(*each)
        for each in zip(search.objectives, search.directions, roles, strict=True)
        if each[2].bound is not None
    ]


def bound_in_words(objective: str, direction: str, role: Role) -> str:
    """One bound."""
    sign = ">=" if direction == "maximize" else "<="
    return f"{objective} {sign} {_number(role.bound or 0.0)}"


def objectives_in_words(search: Search) -> str:
    """All objectives, which way is better, and how they count if not as usual."""
    roles = filled(search.roles, len(search.objectives))
    texts = []
    for objective, direction, role in zip(search.objectives, search.directions, roles, strict=True):
        if role.name == "constraint":
            texts.append(f"keep {bound_in_words(objective, direction, role)}")
            continue
        text = f"{direction} {objective}"
        if role.name == "lexicographic":
            tolerance = _number(role.tolerance or 0.0)
            text += f" within {tolerance} of the best {search.objectives[0]}"
        texts.append(f"report {objective}" if role.name == "report" else text)
    return ", ".join(texts)


def none_keeps(search: Search, missed: Sequence[float]) -> str:
    """That no trial keeps the bounds, and by how much those shown miss them; "" if some do."""
    if not missed or min(missed) <= 0:
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
