"""How many cases the tests of `tests/fuzz` draw: 500 in all, or what TWENTIETH_FUZZ says."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

IN_EVERY_RUN = 500
CASES = int(os.environ.get("TWENTIETH_FUZZ", IN_EVERY_RUN))

# What files and stores hold besides what is expected.
ODD_TEXTS = (
    "", " ", "1e-3", "0x10", "yes", "~", "nan", "-inf", "None", "ünïcödé ☃", "a b/c", "\u202egnp",
    "x" * 300, "9" * 50, "%s{0}", "<b>", "..", "[", "- a", "key: value", "python:os:system", "\x00",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2, 2**31, 2**32 - 1, 2**53 + 1, 2**63, 10**20, 10**400, 0.0, -0.0, 0.5, 1e-9, 5e-324,
    1e150, 1e308, -1e308, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 20), st.sampled_from(ODD_NUMBERS),
    st.floats(-10, 10), st.sampled_from(ODD_TEXTS), st.text(max_size=5),
)  # fmt: skip
anything: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def fuzzed(share: float) -> settings:
    """Returns the settings of a test that draws this share of all cases.

    The same cases in every run of the suite; others each time by `make fuzz`.
    """
    return settings(
        max_examples=max(1, round(share * CASES)),
        derandomize=CASES == IN_EVERY_RUN,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
