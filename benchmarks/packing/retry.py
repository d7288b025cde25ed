"""A search whose trials do not fit on one GPU next to each other: the second attempt gets it all.

Two trials with half a GPU each start side by side; each needs over half of the memory. One runs out
of it, is retried with a whole GPU once that is free, and completes (`search/optimize/retries.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.packing.run import searched, states_of
from search.tracking.write.journal import Event

_TRIALS = 3
_RETRIED = "retried alone"


@dataclass(frozen=True)
class Retries:
    """What came of the trials.

    Attributes:
        count: How many attempts ran out of memory and were queued for a whole GPU.
        states: How the trials have ended.
    """

    count: int
    states: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether memory ran out at least once and every trial completed all the same."""
        return self.count > 0 and self.states == ("complete",) * _TRIALS


def crowded_spec() -> dict[str, Any]:
    """Return the search: three trials, two at once, each with half a GPU."""
    return {
        "name": "crowded",
        "task": {"name": "crowded", "train": "python:benchmarks.packing.crowded:crowded"},
        "objectives": [{"metric": "value", "direction": "maximize"}],
        "space": {"x": {"type": "float", "low": 0, "high": 1}},
        "budget": {"trials": _TRIALS, "epochs": 2, "stop": "never"},
        "resources": {"parallelism": 2, "cpus": 1, "gpus": 0.5},
        "sampler": {"name": "random"}, "scheduler": {"name": "none"},
    }  # fmt: skip


def measure_retries() -> Retries:
    """Run the search."""
    return retries_in(searched(crowded_spec()))


def retries_in(events: Sequence[Event]) -> Retries:
    """Return what a journal says of retries and ends."""
    said = [str(event.fields.get("message", "")) for event in events]
    return Retries(sum(_RETRIED in message for message in said), tuple(states_of(events)))


def in_words(found: Retries) -> list[str]:
    """Return the section of the page."""
    verdict = "holds" if found.holds else "**does not hold**"
    return [
        "", "## Out of memory", "",
        f"Three trials, two at once with half a GPU each, each of which needs 0.6 of its memory: "
        f"{found.count} ran out of memory and were queued for a whole GPU; ended as "
        f"{', '.join(found.states)}. That every trial completes after a retry {verdict}.",
    ]  # fmt: skip
