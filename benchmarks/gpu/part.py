"""What every part of `make gpu` is given and returns, and how it takes times.

A part is a module with `run(setting) -> Findings`. It measures as much as its seconds allow and
says what it left out; an exception is its failure and ends no other part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

NO_TIME = "time"


class NotRun(Exception):
    """The part cannot run here; the message is the reason."""


@dataclass(frozen=True)
class Setting:
    """Where and for how long a part measures.

    Attributes:
        device: "cuda" or "cpu".
        is_full: Whether sizes are those of the claim; else they are small, to show that it works.
        ends: When the part's seconds are used up, on the clock of `time.monotonic`.
    """

    device: str
    is_full: bool
    ends: float

    @property
    def left(self) -> float:
        """Seconds left; negative after the end."""
        return self.ends - time.monotonic()

    def sized(self, full: Any, small: Any) -> Any:
        """Return the first where sizes are full, else the second."""
        return full if self.is_full else small


@dataclass(frozen=True)
class Table:
    """A table of the page: `rows` hold text and numbers, as the JSON file has them."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """What a part found.

    Attributes:
        tables: What was measured.
        left_out: (what, reason) of all that was not.
        claims: (claim, whether it holds) of what can be right or wrong.
        raw: Further numbers, for the JSON file alone.
    """

    tables: Sequence[Table]
    left_out: Sequence[tuple[str, str]] = ()
    claims: Sequence[tuple[str, bool]] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)


def timed(device: str, work: Callable[[], object]) -> float:
    """Return the seconds of a call, until the device has done all of it.

    On a CPU they are seconds of this process's one thread, which other work on the machine does not
    lengthen by as much as the clock's.
    """
    clock = time.perf_counter if device == "cuda" else time.process_time
    wait_for(device)
    begun = clock()
    work()
    wait_for(device)
    return clock() - begun


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def in_turn(
    setting: Setting, works: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Return the seconds of each work, called in turn so that all meet the same load.

    Each is called once before, unmeasured: that call chooses algorithms and allocates memory. After
    the first round no other is begun that the time left does not hold.
    """
    for work in works.values():
        timed(setting.device, work)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats):
        begun = time.monotonic()
        for name, work in works.items():
            seconds[name].append(timed(setting.device, work))
        if number + 1 < repeats and setting.left < 1.5 * (time.monotonic() - begun):
            break
    return seconds


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Return how many times faster the second is, round by round."""
    return [one / other for one, other in zip(slow, fast, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, with the least and greatest if there are several: `1.9 (1.7 to 2.2)`."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def peak_mb(device: str) -> str:
    """Return the peak of torch's allocations on a GPU since the last reset, in MiB; "" on a CPU."""
    if device != "cuda":
        return ""
    return f"{torch.cuda.max_memory_allocated() / 2**20:.0f}"
