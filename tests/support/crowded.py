"""A function that finds no memory while another trial is under way in the same folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def crowded_hills(
    configuration: dict[str, Any], *, epochs: int, seed: int
) -> Iterator[dict[str, float]]:
    """Takes a place in the folder `places`; of the first two, which wait for each other, and of
    any other two at once, one finds no memory."""
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
