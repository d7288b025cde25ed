"""Parse Optuna's distributions from their `repr`, without running that text.

A tag holds `FloatDistribution(high=0.1, log=True, low=1e-05, step=None)`. The text is parsed, never
evaluated; any name or call but the three distributions is refused.
"""

from __future__ import annotations

import ast
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.tracking.runs import UNREADABLE

KINDS = {
    kind.__name__: kind for kind in (FloatDistribution, IntDistribution, CategoricalDistribution)
}
# The longest tag; a text that was cut there is not valid Python.
LONGEST = 8_000


def distribution_of_text(text: str) -> BaseDistribution | None:
    """Returns the distribution that a text describes, or None."""
    if not text.endswith(")") or len(text) > LONGEST:
        return None
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            return None
        options: dict[str, Any] = {
            str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords
        }
        return KINDS[call.func.id](**options)
    except (*UNREADABLE, SyntaxError, MemoryError):
        return None


def value_of_text(distribution: BaseDistribution, text: str) -> tuple[bool, Any]:
    """Returns whether a text is a value of the distribution, and the value with its type."""
    if isinstance(distribution, CategoricalDistribution):
        found = [choice for choice in distribution.choices if str(choice) == text]
        return bool(found), next(iter(found), None)
    try:
        is_int = isinstance(distribution, IntDistribution)
        value = int(text) if is_int else float(text)
        inside = distribution.to_internal_repr(value)
    except (ValueError, OverflowError):
        return False, None
    return bool(inside == inside), value
