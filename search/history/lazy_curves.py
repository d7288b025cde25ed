"""Learning curves of one trial, parsed on first access.

Most trials are read for their values only, and parsing the curves of 10,000 trials takes longer
than everything else about them. Not for curves as Arrow lists (`curves.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias

Curves: TypeAlias = Mapping[str, Mapping[int, float]]


class LazyCurves(Mapping[str, Mapping[int, float]]):
    """Metric -> epoch -> value, made on first access. Equal to a dictionary with the same items."""

    def __init__(self, make: Callable[[], Curves]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Curves:
        return self._make()

    def __getitem__(self, metric: str) -> Mapping[int, float]:
        return self._made[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        return repr(self._made)

    def __reduce__(self) -> tuple[type[dict[str, Mapping[int, float]]], tuple[Curves]]:
        """Pickle as a plain dictionary: a trial must not carry the whole table."""
        return dict, (self._made,)


def restated_curves(
    curves: Curves, stands_for: Mapping[str, str], turned: Collection[str]
) -> Curves:
    """Return a trial's curves restated like its values; the same object if nothing changes.

    Args:
        curves: As logged; read only when the result is.
        stands_for: Objective -> the metric that replaces it. The metric's curve is under both
            names then.
        turned: Objectives whose sign is inverted.
    """
    if not stands_for and not turned:
        return curves

    def restated() -> Curves:
        own = {each: stands_for.get(each, each) for each in (*turned, *stands_for)}
        return {metric: curve for metric, curve in curves.items() if metric not in own} | {
            objective: {
                epoch: -value if objective in turned else value
                for epoch, value in curves[metric].items()
            }
            for objective, metric in own.items()
            if metric in curves
        }

    return LazyCurves(restated)
