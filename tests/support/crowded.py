"""A function that runs out of memory while another trial runs in the same folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def crowded_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Makes a file in the folder `places`; of two trials at once one runs out of memory.

    The first two wait for each other.
    """
    places = Path(configuration["places"])
    mine, met = places / str(seed), places.with_name("met")
    mine.touch()
    try:
        while not met.exists():
            if len(list(places.iterdir())) > 1:
                met.touch()
            time.sleep(0.05)
        for epoch in range(1, epochs + 1):
            if any(other.name < mine.name for other in places.iterdir()):
                raise MemoryError
            time.sleep(1.0)
            yield {"left": epoch / 10 - configuration["x"], "right": configuration["x"]}
    finally:
        mine.unlink(missing_ok=True)
