"""Whether two trainings came out alike: states bit for bit, metrics but for what the clock says."""

from __future__ import annotations

from typing import Any

import torch


def is_same(one: Any, other: Any) -> bool:
    """Whether two states agree bit for bit, all the way down."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def comparable(entries: list[dict[str, float]]) -> list[dict[str, float]]:
    """Metrics without what the clock and the machine decide."""
    return [
        {k: v for k, v in entry.items() if not k.startswith(("seconds", "memory"))}
        for entry in entries
    ]
