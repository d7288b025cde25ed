"""Cells that rows of trials, searches and left-out runs share: times, durations, reasons."""

from __future__ import annotations

from search.tracking import names
from search.tracking.raw_runs import Run, clean

# The years that Python's datetime knows, less a day for time zones, in milliseconds.
LAST_MOMENT = 253_402_214_400_000
# Thirty years: what took longer was timed by a clock that jumped.
LONGEST_MILLISECONDS = 10**12
LONGEST_REASON = 500
# How the ids of searches and tasks begin that Twentieth did not log.
FOREIGN = "mlflow:"


def moment(milliseconds: int) -> int | None:
    """A time that a calendar has, or None."""
    return milliseconds if 0 < milliseconds < LAST_MOMENT else None


def duration(start: int, end: int) -> float | None:
    """Seconds from start to end; 0 if a clock went backwards between, None if nobody can know."""
    if not (moment(start) and moment(end)) or end - start > LONGEST_MILLISECONDS:
        return None
    return max(end - start, 0) / 1000


def rejection(run: Run, reason: str) -> dict[str, str]:
    """A row for a run that is left out; "search" is what it says it belongs to."""
    return {
        "run_id": run.run_id, "name": run.name, "reason": clean(reason[:LONGEST_REASON]),
        "search": run.tags.get(names.SEARCH, ""),
    }  # fmt: skip
