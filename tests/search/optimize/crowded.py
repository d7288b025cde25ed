"""A function that finds no memory while another trial is under way in the same folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def crowded_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Takes a place in the folder `places`; the later of two finds no memory."""
    places = Path(configuration["places"])
    mine = places / str(seed)
    mine.touch()
    try:
        for epoch in range(1, epochs + 1):
            time.sleep(1.0)
            if any(other.name < mine.name for other in places.iterdir()):
                raise MemoryError
            yield {"left": epoch / 10 - configuration["x"], "right": configuration["x"]}
    finally:
        mine.unlink(missing_ok=True)
