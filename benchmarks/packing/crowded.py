"""A trial that needs over half of a GPU's memory, for the search of `retry.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

# Of the GPU's memory: two trials with half a GPU each do not fit next to each other.
SHARE = 0.6
# Longer than a worker's start, so that the second trial begins while the first one runs.
EPOCH_SECONDS = 10.0


def crowded(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    """Hold `SHARE` of the GPU's memory, and report `value` and `free`, the share free at first."""
    import torch

    free, total = torch.cuda.mem_get_info()
    held = torch.empty(int(SHARE * total), dtype=torch.uint8, device="cuda")
    for _ in range(epochs):
        held.fill_(1)
        time.sleep(EPOCH_SECONDS)
        yield {"value": float(configuration["x"]), "free": free / total}
