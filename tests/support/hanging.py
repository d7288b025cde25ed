"""A function whose third epoch never ends the first time that a trial reaches it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.functions import slow_hills


def hangs_once(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Hangs once; the file `hung` marks that, and has the id of the process that hangs."""
    hills = slow_hills(configuration, epochs=epochs, seed=seed)
    for epoch, metrics in enumerate(hills, start=1):
        if epoch == 3:
            with suppress(FileExistsError), Path(configuration["hung"]).open("x") as file:
                file.write(f"{seed} {os.getpid()}")
                file.flush()
                threading.Event().wait()
        yield metrics
