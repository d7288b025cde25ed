"""Follows a launch on the console until its end, then writes the report: optimize and transfer."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from search.cli.options import STOPPED, fail
from search.history import Trial
from search.optimize.plan import Plan
from search.optimize.process import log_tail
from search.session.best import print_best
from search.session.screen import out, say
from search.session.watch import has_complete_trials, is_left, report, watch
from search.tracking.read.history import load_history

EXIT_CODES = {"failed": 1, "died": 1, "refused": 2, "alive": 3, "lost": 3, "unsent": 4}


def follow(plan: Plan, own: Sequence[Trial], results: Path) -> None:
    """Starts the driver, shows its events, and writes the report.

    The first Ctrl-C asks the driver to stop, the second kills it and leaves the report for later.
    So does SIGTERM, by which `kill`, containers, systemd and SLURM end a process.

    Args:
        plan: The plan of the launch.
        own: Trials of earlier launches of this search.
        results: The folder for the report's folder.

    Raises:
        SystemExit: the launch failed or was stopped.
    """
    # The first process of a container does not even end by it without a handler.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    answer, stops = watch(plan, own, again="Ctrl-C")
    again = f"continue with: twentieth resume {plan.search}"
    if is_left(answer, stops):
        say(f"          stopped at once; {again}")
        raise SystemExit(STOPPED)
    if answer.status != "done":
        hint = log_tail(plan.storage) + "\n" if answer.status in ("failed", "died") else ""
        fail(f"{hint}{answer.message}; {again}", EXIT_CODES[answer.status])
    try:
        place, verdict = report(plan, results)
    except OSError as error:
        fix = f"fix: twentieth report {plan.search}"
        fail(f"all trials are stored, but the report could not be written: {error}; {fix}", 1)
    except KeyboardInterrupt:
        say(f"          all trials are stored; for the report: twentieth report {plan.search}")
        raise SystemExit(STOPPED) from None
    say(f"transfer  {verdict}\n          {place / 'report.md'}")
    if print_best(out, load_history(plan.tracking_uri), plan.search):
        say(f"configurations: twentieth show {plan.search}")
    if answer.state != "complete":
        say(f"          {answer.state}; {again}")
    if stops:
        raise SystemExit(STOPPED)
    if answer.state == "failed":
        raise SystemExit(EXIT_CODES["failed"])
    if answer.state == "complete" and not has_complete_trials(plan):
        fail(f"no trial is complete; for the reasons: twentieth show {plan.search}", 1)
