"""Learning curves as Arrow lists, made and renamed without a Python object for each point.

A million points (10,000 runs, two metrics, 50 steps) take 0.3 s here and ten times that as
dictionaries. Not for reading them from a store: see sql_reader.py and rest_reader.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CURVES = pa.list_(
    pa.struct([("metric", pa.string()), ("epoch", pa.int64()), ("value", pa.float64())])
)
# MLflow's databases keep infinity as the greatest float.
GREATEST = 1.7976931348623157e308


@dataclass(frozen=True)
class Points:
    """Measured points in columns of one length; `run` and `metric` are places in lists."""

    run: NDArray[np.int64]
    metric: NDArray[np.int64]
    step: NDArray[np.int64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]


def curves_of(
    points: Points, metrics: Sequence[str], keeps_first: NDArray[np.bool_]
) -> pa.ListArray:
    """The curves of each run, sorted by metric and epoch: one list a run.

    One value a (metric, epoch): of several, the one written first where `keeps_first` (Twentieth's
    own runs, whose writes are repeatable), else the one written last. A foreign metric whose values
    all stand at one step was logged without steps; its values are numbered in order of time.

    Args:
        points: in any order.
        metrics: the names `points.metric` counts in.
        keeps_first: (runs,) which of two values for one epoch counts.
    """
    order = np.lexsort((points.value, points.time, points.step, points.metric, points.run))
    run, metric = points.run[order], points.metric[order]
    step, value = points.step[order].copy(), points.value[order].copy()
    is_first = np.ones(len(run), dtype=bool)  # of a (run, metric)
    is_first[1:] = (run[1:] != run[:-1]) | (metric[1:] != metric[:-1])
    starts = np.flatnonzero(is_first)
    lengths = np.diff(np.append(starts, len(run)))
    if len(starts):
        last = starts + lengths - 1
        is_stepless = (step[starts] == step[last]) & (lengths > 1) & ~keeps_first[run[starts]]
        places = np.arange(len(run)) - np.repeat(starts, lengths)
        step = np.where(np.repeat(is_stepless, lengths), places, step)
    differs = is_first.copy()  # from the point before, in run, metric or step
    differs[1:] |= step[1:] != step[:-1]
    ends = np.ones(len(run), dtype=bool)
    ends[:-1] = differs[1:]
    kept = np.where(keeps_first[run], differs, ends) if len(run) else ends
    value[np.abs(value) >= GREATEST] *= np.inf
    return _lists(run[kept], metric[kept], step[kept], value[kept], metrics, len(keeps_first))


def renamed(curves: pa.ListArray, name_of: Callable[[int, str], str | None]) -> pa.ListArray:
    """The same curves under other names.

    Args:
        curves: one list a run.
        name_of: asked once for each run (its place) and metric; None drops the curve.
    """
    run, metric, step, value, metrics = columns_of(curves)
    if not len(run):
        return curves
    is_first = np.ones(len(run), dtype=bool)
    is_first[1:] = (run[1:] != run[:-1]) | (metric[1:] != metric[:-1])
    starts = np.flatnonzero(is_first)
    lengths = np.diff(np.append(starts, len(run)))
    places: dict[str, int] = {}
    new = np.empty(len(starts), dtype=np.int64)
    for index, start in enumerate(starts.tolist()):
        name = name_of(int(run[start]), metrics[metric[start]])
        new[index] = -1 if name is None else places.setdefault(name, len(places))
    codes = np.repeat(new, lengths)
    kept = codes >= 0
    return _lists(run[kept], codes[kept], step[kept], value[kept], list(places), len(curves))


def columns_of(
    curves: pa.ListArray,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], list[str]]:
    """Curves as columns: run (its place), metric (its place in the names), epoch, value; names."""
    offsets = curves.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    points = curves.values.slice(offsets[0], offsets[-1] - offsets[0])
    encoded = points.field("metric").fill_null("").dictionary_encode()
    run = np.repeat(np.arange(len(curves)), np.diff(offsets))
    return (
        run,
        encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        points.field("epoch").fill_null(0).to_numpy(zero_copy_only=False),
        points.field("value").to_numpy(zero_copy_only=False),
        encoded.dictionary.to_pylist(),
    )


def last_epochs(curves: pa.ListArray) -> NDArray[np.int64]:
    """The last epoch of each run that any curve reaches; 0 without one."""
    run, _, step, _, _ = columns_of(curves)
    last = np.zeros(len(curves), dtype=np.int64)
    np.maximum.at(last, run, step)
    return last


def as_one_array(curves: pa.ChunkedArray) -> pa.ListArray:
    """A column of curves as one array, whatever its chunks."""
    if curves.num_chunks == 1:
        return curves.chunk(0)
    return pa.concat_arrays(curves.chunks) if curves.num_chunks else pa.array([], CURVES)


def _lists(
    run: NDArray[np.int64],
    metric: NDArray[np.int64],
    step: NDArray[np.int64],
    value: NDArray[np.float64],
    metrics: Sequence[str],
    runs: int,
) -> pa.ListArray:
    counts = np.bincount(run, minlength=runs) if len(run) else np.zeros(runs, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    names = pa.DictionaryArray.from_arrays(
        pa.array(metric, pa.int32()), pa.array(list(metrics), pa.string())
    ).cast(pa.string())
    points = pa.StructArray.from_arrays(
        [names, pa.array(step, pa.int64()), pa.array(value, pa.float64())],
        fields=list(CURVES.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), points, type=CURVES)
