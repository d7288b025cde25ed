"""Tasks that need no data, for the tests of the transfer benchmark."""

from __future__ import annotations

import numpy as np

from benchmarks.transfer.recorded_tasks import GRID, Family, Task

ROWS = int(np.prod(list(GRID.values())))


def made_up(names: tuple[str, ...] = ("a", "b", "c")) -> Family:
    """Tasks whose accuracy is a row's number, scaled; every task has its own scale."""
    tasks = {}
    for place, name in enumerate(names, start=1):
        accuracy = np.linspace(0.0, 1.0 / place, ROWS)
        tasks[name] = Task(name, accuracy, np.geomspace(1.0, 100.0 * place, ROWS))
    return Family(tasks)
