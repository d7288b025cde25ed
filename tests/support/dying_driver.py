"""A driver that kills itself, once, at one of its last calls; started like `search.optimize`.

DIES is the name of a point of `POINTS`, DIED a file that it makes first, so that no later driver
dies. The calls are wrapped here; the driver's own code knows nothing of it.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Point -> what is called there, and whether the driver dies before or after it.
POINTS = {
    "before the last end is written": ("search.optimize.recorder", "Recorder._end", "before"),
    "after the last end is written": ("search.optimize.recorder", "Recorder._end", "after"),
    "as Tune cleans up": ("ray.tune.execution.tune_controller", "TuneController.cleanup", "before"),
    "after Tune": ("ray.tune.tuner", "Tuner.fit", "after"),
    "before the test split": ("search.optimize.tuner", "Tuning.test_front", "before"),
    "before the state is written": ("search.optimize.driver", "_run", "after"),
    "after the state is written": ("search.tracking.write.journal", "Journal.flush", "before"),
    "after all is sent": ("search.tracking.write.journal_sender", "Writer.close", "after"),
    "before the answer": ("search.tracking.write.journal", "Journal.close", "after"),
    "as Ray shuts down": ("ray", "shutdown", "before"),
    "after Ray has shut down": ("ray", "shutdown", "after"),
}


def die_at(point: str, mark: Path) -> None:
    """Has this process killed at a point of `POINTS`, unless the file `mark` is there."""
    module, path, when = POINTS[point]
    owner: Any = importlib.import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    setattr(owner, name, _dying(getattr(owner, name), when, mark))


def _dying(call: Callable[..., Any], when: str, mark: Path) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            _die(mark)
        returned = call(*arguments, **named)
        _die(mark)
        return returned

    return called


def _die(mark: Path) -> None:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import search.optimize.__main__ as driver

    # After the parent has sent where to import from, as the driver itself does.
    taken = driver.Connection.recv

    def recv(connection: Any) -> Any:
        found = taken(connection)
        if not isinstance(found, list) and not isinstance(found, str):  # the plan
            die_at(os.environ["DIES"], Path(os.environ["DIED"]))
        return found

    driver.Connection.recv = recv  # type: ignore[method-assign]
    driver.main()
