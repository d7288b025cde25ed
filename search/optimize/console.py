"""Console: a live table of a running search in a terminal, plain lines elsewhere.

A notebook shows the same table (`search/session/notebook.py`). It is drawn from the journal's
events alone, in the parent process; Ray's own output goes to a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from models.adversarial.checks.search_warnings import is_only_corrected, search_warnings
from search.history import Trial
from search.history.plurals import counted
from search.objectives import pareto
from search.objectives.objective import value_text
from search.objectives.roles import best, is_plain
from search.optimize.plan import Plan, origin_text
from search.tracking import tag_names
from search.tracking.write.journal import Event

FRONT_ROWS = 6


@dataclass
class View:
    """The state of a search according to its events so far."""

    plan: Plan
    states: dict[int, str] = field(default_factory=dict)
    values: dict[int, tuple[float, ...]] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    origins: dict[int, str] = field(default_factory=dict)
    evaluating: dict[int, tuple[str, float]] = field(default_factory=dict)  # step, and its begin
    evaluated: tuple[int, int] = (0, 0)  # of the best trials, and how many these are
    warnings: dict[int, tuple[str, ...]] = field(default_factory=dict)  # names, of its confirmation
    ended_here: int = 0
    began: float = field(default_factory=time.monotonic)
    state: str = ""  # of the search, once its driver has written it
    message: str = "starting"

    def seed(self, trials: Sequence[Trial]) -> None:
        """Adds the trials of earlier launches of this search."""
        for trial in trials:
            self.states[trial.number] = trial.state
            self.epochs[trial.number] = trial.epoch
            self.origins[trial.number] = origin_text(trial.origin)
            if trial.values:
                self.values[trial.number] = trial.values
            self._warn(trial.number, [each.name for each in search_warnings(trial.last_values)])

    def take(self, event: Event) -> str | None:
        """Applies an event; returns a line to print, or None."""
        fields = event.fields
        if event.name == "driver":
            self.message = fields["message"]
            if not self.ended_here:
                self.began = time.monotonic()  # what came before was start-up, not trials
            return str(fields["message"])
        if event.name == "start":
            self.states[fields["number"]] = "running"
            self.origins[fields["number"]] = origin_text(fields["origin"])
        elif event.name == "epoch":
            self.epochs[fields["number"]] = fields["epoch"]
        elif event.name == "evaluating":
            self._take_evaluating(fields)
        elif event.name == "summary":
            self.state = fields["tags"].get(tag_names.STATE, self.state)
        return self._take_end(fields) if event.name == "end" else None

    def _take_evaluating(self, fields: dict[str, Any]) -> None:
        number, step = fields["number"], fields["step"]
        self.evaluating.pop(number, None)
        if step:
            self.evaluating[number] = (step, time.monotonic())
        self.evaluated = (self.evaluated[0] + (not step), fields["of"])

    def _take_end(self, fields: dict[str, Any]) -> str:
        number, state = fields["number"], fields["state"]
        self.states[number] = state
        self.ended_here += state != "interrupted"
        if fields["values"]:
            self.values[number] = tuple(fields["values"])
        numbers = " ".join(
            f"{name} {value_text(value)}"
            for name, value in zip(self.plan.spec.metrics, fields["values"], strict=False)
        )
        *_, reason = fields["reason"].strip().split("\n")
        origin = self.origins.get(number, "?")
        self._warn(number, fields.get("warnings", ()))
        doubt = f"\n{self.doubt(number)}" if number in self.warnings else ""
        return (
            f"trial {number:03d} {state:<11} {numbers or reason}  ({origin})  "
            f"[{self.done()}/{self.plan.trials_budget}]{doubt}"
        )

    def _warn(self, number: int, names: Iterable[str]) -> None:
        if names := tuple(names):
            self.warnings[number] = names

    def doubt(self, number: int) -> str:
        """Returns what is wrong with the robust accuracy of a trial with warnings."""
        trial, names = f"trial {number:03d}", self.warnings[number]
        which = f"twentieth show {self.plan.search}#{number}"
        if is_only_corrected(names):
            return f"{trial}: stronger attacks lowered its robust accuracy; see {which}"
        return f"warning: {trial} may mask its gradients: {'; '.join(names)}; see {which}"

    def mark(self, number: int) -> str:
        """Returns the same in the table of the best; "" for a trial without warnings."""
        if number not in self.warnings:
            return ""
        if is_only_corrected(self.warnings[number]):
            return "; lowered by stronger attacks"
        return "; its gradients may be masked"

    def count(self, *states: str) -> int:
        """Counts the trials in any of these states."""
        return sum(state in states for state in self.states.values())

    def done(self) -> int:
        """Counts the trials that have ended for good."""
        return self.count("complete", "stopped", "failed")

    def is_through(self) -> bool:
        """Whether nothing is left to train: the search is complete, or all its trials have ended.

        A search that has failed or was stopped is not: another driver would go on with its trials.
        """
        if self.state:
            return self.state == "complete"
        return self.done() >= self.plan.trials_budget and not self.count("running")

    def front(self) -> list[int]:
        """Returns the numbers of the best trials, by roles; the best first value comes first."""
        if not self.values:
            return []
        values, objectives = np.array(list(self.values.values())), self.plan.spec.objectives
        on_front = np.array(list(self.values))[best(values, objectives)].tolist()
        sign = -1 if objectives[0].is_maximized else 1
        return sorted(on_front, key=lambda number: sign * self.values[number][0])

    def seconds_left(self) -> float | None:
        """Estimates the time left from the trials of this launch; None before the first ends."""
        if not self.ended_here:
            return None
        spent = time.monotonic() - self.began
        guess = spent / self.ended_here * max(self.plan.trials_budget - self.done(), 0)
        if self.plan.hours is not None:
            guess = min(guess, max(self.plan.hours * 3600 - spent, 0.0))
        return guess


class Display:
    """Shows a View: live in a terminal, a line for each ended trial otherwise.

    Args:
        view: What is shown.
        console: Where a live table is drawn.
        say: Prints a line on it, broken where the screen has a width.
    """

    def __init__(self, view: View, console: Console, say: Callable[[str], None]) -> None:
        self._view, self._say = view, say
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(
                drawing(self._view), console=console, refresh_per_second=4, transient=True
            )

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def take(self, event: Event | None) -> None:
        """Shows one event, or only the time that has passed."""
        line = self._view.take(event) if event is not None else None
        if line:
            self._say(line)
        if self._live:
            self._live.update(drawing(self._view))


def drawing(view: View) -> Group:
    """Returns a View as what is shown of a running search."""
    left, failed = view.seconds_left(), view.count("failed")
    head = Text.assemble(
        (view.plan.search, "bold"),
        f"  {view.done()}/{view.plan.trials_budget} done",
        f"  {view.count('running')} running",
        f"  {view.count('stopped')} stopped early",
        (f"  {failed} failed", "red") if failed else "",
    )
    lines = [head, Text(_activity(view, left), style="dim")]
    return Group(*lines, _front(view)) if view.values else Group(*lines)


def _activity(view: View, seconds_left: float | None) -> str:
    """What runs now, and for how long it will, as far as that can be known."""
    if view.evaluated[1]:
        now = time.monotonic()
        steps = [
            f"trial {number:03d}: {step}, for {now - began:.0f} s"
            for number, (step, began) in view.evaluating.items()
        ]
        done = f"test split: {view.evaluated[0]} of {counted(view.evaluated[1], 'trial')} done"
        return "\n".join([done, *steps])
    running = [
        f"{number:03d} epoch {view.epochs.get(number, 0)}/{view.plan.spec.budget.epochs}"
        for number, state in view.states.items()
        if state == "running"
    ]
    if not running:
        return view.message
    left = "" if seconds_left is None else f"; about {seconds_left / 60:.1f} min left"
    return f"running: {', '.join(running[:8])}{left}"


def _front(view: View) -> Table:
    objectives, numbers = view.plan.spec.objectives, list(view.values)
    word = "Pareto front" if is_plain(objectives) else "Best"
    table = Table(title=f"{word} so far", title_justify="left", box=None)
    table.add_column("trial")
    for objective in objectives:
        two_lines = Text(objective.metric.replace(".", ".\n", 1))
        table.add_column(two_lines, justify="right", no_wrap=True)
    table.add_column("proposed by", style="dim")
    if not numbers:
        return table
    lowest = pareto.losses(list(view.values.values()), objectives).argmin(axis=0)
    for number in view.front()[:FRONT_ROWS]:
        cells = [
            Text(value_text(value), style="bold green" if numbers[row] == number else "")
            for value, row in zip(view.values[number], lowest, strict=True)
        ]
        origin = f"{view.origins.get(number, '')}{view.mark(number)}"
        table.add_row(f"{number:03d}", *cells, Text(origin))
    return table
