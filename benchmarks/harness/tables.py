"""Text of a benchmark's report: Markdown tables, and estimates as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:  # statistics needs scipy, which a GPU's machine may lack
    from benchmarks.harness.statistics import Estimate


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table; numbers as given."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """Return a value and its interval as text: `0.812 [0.801, 0.823]`."""
    middle, low, high = (f"{value:.{digits}f}" for value in estimate)
    return f"{middle} [{low}, {high}]"


def median_and_range(values: ArrayLike, digits: int) -> str:
    """Return a median with the least and the greatest value: `0.10 (0.09 to 0.12)`."""
    low, middle, high = np.percentile(np.asarray(values), [0, 50, 100])
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
