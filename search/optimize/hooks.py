"""Hooks: functions of the living Python process that hear of finished trials and of the end.

They are called where the journal's events are followed, in the process that launched the search,
never in the driver or in a worker: nothing of them is stored, and none runs when another process
resumes the search. An exception in one is reported and does not end the search.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from search.history import Trial
from search.history.causes import last_line
from search.optimize.plan import Plan
from search.tracking.write.journal import Event

Argument = TypeVar("Argument")
# An interrupted trial is not finished.
FINISHED = ("complete", "stopped", "failed")


class FinishedTrials:
    """Follows the events of one launch, and makes a `Trial` of each trial that has finished.

    Its run is not known: it is written to the store at the same time.

    Args:
        plan: The plan of the launch.
        own: Trials of earlier launches of this search, whose curves are continued.
    """

    def __init__(self, plan: Plan, own: Sequence[Trial] = ()) -> None:
        self._plan = plan
        self._started = {trial.number: trial.started for trial in own if trial.started}
        self._curves: dict[int, dict[str, dict[int, float]]] = {
            trial.number: {metric: dict(curve) for metric, curve in trial.curves.items()}
            for trial in own
            if trial.state not in ("complete", "stopped")  # one that failed may be run again
        }

    def take(self, event: Event | None) -> Trial | None:
        """Returns the trial that this event finishes, or None."""
        if event is None or event.name not in ("start", "epoch", "end"):
            return None
        fields, number = event.fields, event.fields["number"]
        now = datetime.fromtimestamp(event.time / 1000, UTC)
        if event.name == "start":
            self._started.setdefault(number, now)
        elif event.name == "epoch":
            curves = self._curves.setdefault(number, {})
            for metric, value in fields["metrics"].items():
                curves.setdefault(metric, {})[fields["epoch"]] = value
        elif fields["state"] in FINISHED:
            return self._finished(number, fields, now)
        return None

    def _finished(self, number: int, fields: dict[str, Any], now: datetime) -> Trial:
        started = self._started.get(number)
        return Trial(
            task=self._plan.task, search=self._plan.search, number=number,
            state=fields["state"], configuration=fields["configuration"],
            values=tuple(fields["values"]), objectives=self._plan.spec.objectives,
            curves=self._curves.pop(number, {}), epoch=fields["epoch"],
            origin=fields["origin"], started=started,
            seconds=(now - started).total_seconds() if started else 0.0,
            work=fields.get("work", 0.0), device=fields.get("device", ""),
            reason=last_line(fields.get("reason") or ""),
        )  # fmt: skip


def call_hook(
    name: str,
    hook: Callable[[Argument], object] | None,
    argument: Argument,
    say: Callable[[str], None],
) -> None:
    """Calls a user's function; says what it raises, with the place, instead of raising it.

    Args:
        name: Its name for the message, such as `on_trial_end`.
        hook: The function; None for none.
        argument: What it is called with.
        say: Called with the message.
    """
    if hook is None:
        return
    try:
        hook(argument)
    except Exception as error:  # the user's own code may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = str(error).strip() or "no message"
        say(
            f"{name} raised {type(error).__name__}: {text} ({place.filename}:{place.lineno}, in "
            f"{place.name}); the search goes on without what it would have done"
        )
