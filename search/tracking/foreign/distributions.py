"""Optuna's distributions from Python's text of them, without running that text.

For `FloatDistribution(high=0.1, log=True, low=1e-05, step=None)` as a tag holds it. The text is
parsed, never evaluated: names and calls other than these three are refused.
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

KINDS = {
    kind.__name__: kind for kind in (FloatDistribution, IntDistribution, CategoricalDistribution)
}
# A tag's limit; one that was cut there is no longer Python.
LONGEST = 8_000


def distribution_of_text(text: str) -> BaseDistribution | None:
    """The distribution that a text describes, or None."""
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
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError):
        return None


def value_of_text(distribution: BaseDistribution, text: str) -> tuple[bool, Any]:
    """Whether a text is a value of the distribution, and the value with its type."""
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            if str(choice) == text:
                return True, choice
        return False, None
    try:
        is_int = isinstance(distribution, IntDistribution)
        value = int(text) if is_int else float(text)
        inside = distribution.to_internal_repr(value)
    except (ValueError, OverflowError):
        return False, None
    return bool(inside == inside), value
