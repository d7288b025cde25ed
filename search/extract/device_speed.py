"""The speed of each device that history has trials of, in FLOP a second of training.

With it the work of a configuration becomes seconds on a device that has not trained it. Seconds are
those of the same epochs as the work: without the set-up of a trial and without waiting. Trials
whose work or device is unknown, such as other tools', are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.history import History
from search.history.curves import Columns, columns_of
from search.history.work import SECONDS, WORK


@dataclass(frozen=True)
class DeviceSpeed:
    """The speed of a device: the median over `trials` of FLOP a second."""

    flop_per_second: float
    trials: int

    def seconds(self, work: float) -> float:
        """The seconds that this many FLOP take."""
        return work / self.flop_per_second


def device_speeds(history: History) -> Mapping[str, DeviceSpeed]:
    """The speed of each device of a history, by the device's name."""
    columns = columns_of(history.trials.column("curves").combine_chunks())
    count = len(history.trials)
    work, seconds = _sums(columns, WORK, count), _sums(columns, SECONDS, count)
    usable = np.isfinite(work) & np.isfinite(seconds) & (work > 0) & (seconds > 0)
    speeds: dict[str, list[float]] = {}
    devices = history.trials.column("device").to_pylist()
    for index in np.flatnonzero(usable):
        if devices[index]:
            speeds.setdefault(devices[index], []).append(float(work[index] / seconds[index]))
    return {
        device: DeviceSpeed(float(np.median(found)), len(found))
        for device, found in speeds.items()
    }  # fmt: skip


def _sums(columns: Columns, metric: str, count: int) -> NDArray[np.float64]:
    """Return the sum (trials,) of a metric over each trial's epochs; 0 without any."""
    run, code, _, value, names = columns
    if metric not in names:
        return np.zeros(count)
    chosen = code == names.index(metric)
    return np.bincount(run[chosen], value[chosen], count).astype(np.float64)
