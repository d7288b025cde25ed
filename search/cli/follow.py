"""Follows a launch on the console until its end, then writes the report: optimize and transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search.cli.options import STOPPED, fail, out, say
from search.cli.tables import print_best
from search.history import Trial
from search.history.plurals import counted
from search.optimize.console import Display, View
from search.optimize.driver import LAST_CHANCE_SECONDS
from search.optimize.plan import Plan
from search.optimize.process import DriverAnswer, Launch, log_tail
from search.report.report import publish_report
from search.tracking.read.history import load_history
from search.tracking.store import while_away

EXIT_CODES = {"failed": 1, "refused": 2, "alive": 3, "lost": 3, "unsent": 4}


def follow(plan: Plan, own: Sequence[Trial], results: Path) -> None:
    """Starts the driver, shows its events, and writes the report.

    The first Ctrl-C asks the driver to stop, the second kills it.

    Args:
        plan: The plan of the launch.
        own: Trials of earlier launches of this search.
        results: The folder for the report's folder.

    Raises:
        SystemExit: the launch failed or was stopped.
    """
    trials = counted(plan.trials_budget, "trial")
    say(f"optimize  {plan.search}: {trials}, log in {plan.storage}")
    view = View(plan)
    view.seed(own)
    answer, was_stopped = _watch(Launch(plan), view)
    if was_stopped and answer.status == "failed":
        raise SystemExit(STOPPED)  # it was killed, as asked
    again = f"continue with: twentieth resume {plan.search}"
    if answer.status != "done":
        hint = log_tail(plan.storage) + "\n" if answer.status == "failed" else ""
        fail(f"{hint}{answer.message}; {again}", EXIT_CODES[answer.status])
    try:
        place, verdict = while_away(
            lambda: publish_report(plan.search, plan.tracking_uri, results), LAST_CHANCE_SECONDS
        )
    except OSError as error:
        fix = f"fix: twentieth report {plan.search}"
        fail(f"all trials are stored, but the report could not be written: {error}; {fix}", 1)
    say(f"transfer  {verdict}\n          {place / 'report.md'}")
    if print_best(out, load_history(plan.tracking_uri), plan.search):
        say(f"configurations: twentieth show {plan.search}")
    if answer.state != "complete":
        say(f"          {answer.state}; {again}")
    if was_stopped:
        raise SystemExit(STOPPED)
    if answer.state == "failed":
        raise SystemExit(EXIT_CODES["failed"])
    # The view lacks what was replayed from the journal.
    if answer.state == "complete" and not (
        view.values or load_history(plan.tracking_uri, searches=[plan.search]).prior_trials()
    ):
        fail(f"no trial is complete; for the reasons: twentieth show {plan.search}", 1)


def _watch(launch: Launch, view: View) -> tuple[DriverAnswer, bool]:
    """Shows events until the driver ends; returns its answer, and whether the user stopped it."""
    was_stopped = False
    with Display(view, out) as display:
        events = launch.events()
        while True:
            try:
                display.take(next(events))
            except StopIteration:
                break
            except KeyboardInterrupt:
                if was_stopped:
                    launch.kill()
                was_stopped = True
                launch.stop()
                say("stopping; running trials can be resumed (Ctrl-C again: stop at once)")
                events = launch.events()
    return launch.answer(), was_stopped
