"""Learning curves of one trial that are made when somebody looks at them.

Most trials are asked for their values alone, and parsing the curves of 10,000 takes longer than all
else about them. Not for curves as Arrow lists: `curves.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, partial
from typing import TypeAlias

Curves: TypeAlias = Mapping[str, Mapping[int, float]]


class LazyCurves(Mapping[str, Mapping[int, float]]):
    """Metric -> epoch -> value, made when first asked for. Equal to a dictionary of the same."""

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
        """Pickled as a plain dictionary: a trial does not take the whole table along."""
        return dict, (self._made,)


def restated_curves(
    curves: Curves, stands_for: Mapping[str, str], turned: Collection[str]
) -> Curves:
    """A trial's curves as its values are restated; the same object where nothing differs.

    Args:
        curves: As logged; looked at only when the result is.
        stands_for: An objective -> the metric whose curve is under its name then. That curve stays
            under its own name as well, as it was logged.
        turned: Objectives whose sign is turned.
    """
    if not stands_for and not turned:
        return curves
    return LazyCurves(partial(_restated, curves, stands_for, turned))


def _restated(
    curves: Curves, stands_for: Mapping[str, str], turned: Collection[str]
) -> dict[str, Mapping[int, float]]:
    own = {objective: stands_for.get(objective, objective) for objective in (*turned, *stands_for)}
    made = {metric: curve for metric, curve in curves.items() if metric not in own}
    for objective, metric in own.items():
        if metric in curves:
            sign = -1.0 if objective in turned else 1.0
            made[objective] = {epoch: sign * value for epoch, value in curves[metric].items()}
    return made
