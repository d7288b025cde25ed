"""Learning curves as Arrow lists, made and renamed without a Python object per point.

A million points (10,000 runs, two metrics, 50 steps) take 0.3 s here and ten times as long as
dictionaries. Not for reading them from a store (`tracking/read/`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

CURVES = pa.list_(
    pa.struct([("metric", pa.string()), ("epoch", pa.int64()), ("value", pa.float64())])
)
Columns: TypeAlias = tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], list[str]
]
# MLflow's databases store infinity as the greatest float.
GREATEST = 1.7976931348623157e308


@dataclass(frozen=True)
class Points:
    """Measured points as columns of equal length; `run` and `metric` are indices into lists."""

    run: NDArray[np.int64]
    metric: NDArray[np.int64]
    step: NDArray[np.int64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]


def curves_of(
    points: Points, metrics: Sequence[str], keeps_first: NDArray[np.bool_]
) -> pa.ListArray:
    """Return the curves of each run, sorted by metric and epoch: one list per run.

    There is one value per (metric, epoch): of several, the one written first where `keeps_first`
    (Twentieth's own runs, whose writes are repeatable), else the one written last. A foreign metric
    whose values all have the same step was logged without steps; its values are numbered by time,
    from 1.

    Args:
        points: In any order.
        metrics: The names that `points.metric` indexes.
        keeps_first: Shape `(runs,)`: whether the first of two values for one epoch counts.
    """
    order = np.lexsort((points.value, points.time, points.step, points.metric, points.run))
    run, metric = points.run[order], points.metric[order]
    step, value = points.step[order].copy(), points.value[order].copy()
    starts, lengths = _groups(run, metric)
    is_stepless = (step[starts] == step[starts + lengths - 1]) & (lengths > 1)
    is_numbered = np.repeat(is_stepless & ~keeps_first[run[starts]], lengths)
    step = np.where(is_numbered, np.arange(1, len(run) + 1) - np.repeat(starts, lengths), step)
    firsts, sizes = _groups(run, metric, step)
    kept = np.where(keeps_first[run[firsts]], firsts, firsts + sizes - 1)
    value[np.abs(value) >= GREATEST] *= np.inf
    return _lists(run[kept], metric[kept], step[kept], value[kept], metrics, len(keeps_first))


def renamed(curves: pa.ListArray, name_of: Callable[[int, str], str | None]) -> pa.ListArray:
    """Return the same curves under other names.

    Args:
        curves: One list per run.
        name_of: Called once per run (its index) and metric; None drops the curve.
    """
    run, metric, step, value, metrics = columns_of(curves)
    starts, lengths = _groups(run, metric)
    places: dict[str, int] = {}
    new = []
    for index, code in zip(run[starts].tolist(), metric[starts].tolist(), strict=True):
        name = name_of(index, metrics[code])
        new.append(-1 if name is None else places.setdefault(name, len(places)))
    codes = np.repeat(np.array(new, dtype=np.int64), lengths)
    kept = codes >= 0
    return _lists(run[kept], codes[kept], step[kept], value[kept], list(places), len(curves))


def counted_from_one(curves: pa.ListArray, is_foreign: NDArray[np.bool_]) -> pa.ListArray:
    """Return curves whose first epoch is 1, where a run counted its epochs from 0.

    A run with a curve of several values that begins at step 0 counts from 0, and all of its steps
    move by one. A single value at step 0 is no epoch, for MLflow gives a value that was logged
    without a step this one, unless its metric has such a curve in another run: then the run ended
    with its first epoch.

    Args:
        curves: One list per run of one experiment.
        is_foreign: Shape `(runs,)`: whether another tool logged the run; only these move.
    """
    run, metric, step, value, metrics = columns_of(curves)
    starts, lengths = _groups(run, metric)
    owner, name, begins = run[starts], metric[starts], step[starts] == 0
    counts_from_zero = begins & (lengths > 1) & is_foreign[owner]
    run_from_zero = np.zeros(len(curves), dtype=bool)
    run_from_zero[owner[counts_from_zero]] = True
    has_steps = np.zeros(len(curves), dtype=bool)
    has_steps[owner[lengths > 1]] = True
    metric_from_zero = np.zeros(len(metrics), dtype=bool)
    metric_from_zero[name[counts_from_zero]] = True
    is_single = begins & (lengths == 1)
    moves = run_from_zero[owner] & (~is_single | metric_from_zero[name])
    moves |= ~has_steps[owner] & is_single & metric_from_zero[name] & is_foreign[owner]
    step = step + np.repeat(moves, lengths)
    return _lists(run, metric, step, value, metrics, len(curves))


def columns_of(curves: pa.ListArray) -> Columns:
    """Return curves as columns: run index, metric index, epoch and value; and the metric names."""
    lengths = pc.list_value_length(curves).fill_null(0).to_numpy(zero_copy_only=False)
    points = curves.flatten()  # null lists have no points
    encoded = points.field("metric").fill_null("").dictionary_encode()
    return (
        np.repeat(np.arange(len(curves)), lengths),
        encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        points.field("epoch").fill_null(0).to_numpy(zero_copy_only=False),
        points.field("value").to_numpy(zero_copy_only=False),
        encoded.dictionary.to_pylist(),
    )


def last_epochs(curves: pa.ListArray) -> NDArray[np.int64]:
    """Return the last epoch of any curve of each run; 0 without one."""
    run, _, step, _, _ = columns_of(curves)
    last = np.zeros(len(curves), dtype=np.int64)
    np.maximum.at(last, run, step)
    return last


def _groups(*columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and lengths of the runs of consecutive points with equal columns."""
    is_first = np.ones(len(columns[0]), dtype=bool)
    is_first[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    starts = np.flatnonzero(is_first)
    return starts, np.diff(np.append(starts, len(is_first)))


def _lists(
    run: NDArray[np.int64],
    metric: NDArray[np.int64],
    step: NDArray[np.int64],
    value: NDArray[np.float64],
    metrics: Sequence[str],
    runs: int,
) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(np.bincount(run, minlength=runs))]).astype(np.int32)
    names = pa.DictionaryArray.from_arrays(
        pa.array(metric, pa.int32()), pa.array(list(metrics), pa.string())
    ).cast(pa.string())
    points = pa.StructArray.from_arrays(
        [names, pa.array(step, pa.int64()), pa.array(value, pa.float64())],
        fields=list(CURVES.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), points, type=CURVES)
