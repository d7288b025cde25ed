"""Watch a launch until its end, then write the report: what the command line and Python share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from search.cluster.access import admit, located
from search.history import Trial
from search.history.plurals import counted
from search.optimize.console import Display, View
from search.optimize.driver import LAST_CHANCE_SECONDS
from search.optimize.hooks import FinishedTrials, call_hook
from search.optimize.plan import Plan
from search.optimize.process import DriverAnswer, Launch
from search.report.report import publish_report
from search.session.notebook import NotebookDisplay, is_notebook
from search.session.screen import out, say
from search.tracking.read.history import load_history
from search.tracking.store import while_away


def admit_to(address: str | None) -> None:
    """Makes Ray use our token, and fails at once if the cluster refuses it; Ray tries for 40 s."""
    if address is not None:
        admit(located(address, os.environ), os.environ)


def watch(
    plan: Plan,
    own: Sequence[Trial],
    *,
    again: str,
    on_trial_end: Callable[[Trial], object] | None = None,
) -> tuple[DriverAnswer, int]:
    """Starts the driver and shows its events until it ends.

    The first Ctrl-C, or interrupt of a notebook, asks the driver to stop, the second kills it.

    Args:
        plan: The plan of the launch.
        own: Trials of earlier launches of this search.
        again: How the user stops it at once, in words.
        on_trial_end: Called with each trial of this launch that is complete, stopped or failed.

    Returns:
        Its answer, and how often the user asked it to stop: from twice on, at once.
    """
    trials = counted(plan.trials_budget, "trial")
    say(f"optimize  {plan.search}: {trials}, log in {plan.storage}")
    view = View(plan)
    view.seed(own)
    if view.done() >= plan.trials_budget:
        more = f"to add some: twentieth resume {plan.search} --trials N"
        say(f"          all {trials} have ended before; {more}")
    finished = FinishedTrials(plan, own)
    answer, stops = _launched(plan, view, finished, again, on_trial_end)
    if answer.status == "died" and not stops and view.is_through():
        say(f"{answer.message}, after all trials had ended; it is started again to finish")
        answer, stops = _launched(plan, view, finished, again, on_trial_end)
    return answer, stops


def is_left(answer: DriverAnswer, stops: int) -> bool:
    """Whether a launch is left as it is, without a report, as who stops it twice wants it.

    The driver may be dead, or may have answered and wait for Ray's end. That it failed is told.
    """
    return stops > 1 and answer.status in ("done", "died")


def _launched(
    plan: Plan,
    view: View,
    finished: FinishedTrials,
    again: str,
    on_trial_end: Callable[[Trial], object] | None,
) -> tuple[DriverAnswer, int]:
    """Follows one driver to its end; arguments and result are those of `watch`."""
    launch, stops = Launch(plan), 0
    with NotebookDisplay(view) if is_notebook() else Display(view, out, say) as display:
        events = launch.events()
        while True:
            try:
                event = next(events)
                display.take(event)
                trial = finished.take(event)
                if trial is not None:
                    call_hook("on_trial_end", on_trial_end, trial, say)
            except StopIteration:
                break
            except KeyboardInterrupt:
                if stops:
                    launch.kill()
                else:
                    launch.stop()
                    say(f"stopping; running trials can be resumed ({again} again: stop at once)")
                stops += 1
                events = launch.events()
    return launch.answer(), stops


def report(plan: Plan, results: Path) -> tuple[Path, str]:
    """Writes a search's report, also to the store, for which it waits if it is away.

    Returns:
        The report's folder and the verdict in words.

    Raises:
        OSError: the report could not be written, or the store stays away.
    """
    return while_away(
        lambda: publish_report(plan.search, plan.tracking_uri, results), LAST_CHANCE_SECONDS
    )


def has_complete_trials(plan: Plan) -> bool:
    """Whether any trial of the search has values, in this launch or an earlier one."""
    return bool(load_history(plan.tracking_uri, searches=[plan.search]).prior_trials())
