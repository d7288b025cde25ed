"""What a person sees of a running search: a live table in a terminal, plain lines elsewhere.

Drawn from the journal's events alone, in the parent process; Ray's own output goes to a log.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.history import Trial
from search.objectives import pareto
from search.objectives.roles import best, is_plain
from search.optimize.plan import Plan, origin_text
from search.tracking.write.journal import Event

FRONT_ROWS = 6


@dataclass
class View:
    """A search as its events tell it so far."""

    plan: Plan
    states: dict[int, str] = field(default_factory=dict)
    values: dict[int, tuple[float, ...]] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    origins: dict[int, str] = field(default_factory=dict)
    ended_here: int = 0
    began: float = field(default_factory=time.monotonic)
    message: str = "starting"

    def seed(self, trials: Sequence[Trial]) -> None:
        """Takes over what earlier launches of this search did."""
        for trial in trials:
            self.states[trial.number] = trial.state
            self.epochs[trial.number] = trial.epoch
            self.origins[trial.number] = origin_text(trial.origin)
            if trial.values:
                self.values[trial.number] = trial.values

    def take(self, event: Event) -> str | None:
        """Applies an event; returns a line worth printing, or None."""
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
        elif event.name == "end":
            return self._take_end(fields)
        return None

    def _take_end(self, fields: dict[str, Any]) -> str:
        number, state = fields["number"], fields["state"]
        self.states[number] = state
        self.ended_here += state != "interrupted"
        if fields["values"]:
            self.values[number] = tuple(fields["values"])
        numbers = " ".join(
            f"{name} {value:.4g}"
            for name, value in zip(self.plan.spec.metrics, fields["values"], strict=False)
        )
        reason = fields["reason"].strip().splitlines()[-1] if fields["reason"].strip() else ""
        detail = numbers or reason
        return (
            f"trial {number:03d} {state:<11} {detail}  ({self.origins.get(number, '?')})  "
            f"[{self.done()}/{self.plan.trials_budget}]"
        )

    def count(self, *states: str) -> int:
        """How many trials are in one of these states."""
        return sum(state in states for state in self.states.values())

    def done(self) -> int:
        """How many trials need no more work."""
        return self.count("complete", "stopped", "failed")

    def front(self) -> list[int]:
        """Numbers of the best trials, by the roles of the objectives, best primary first."""
        if not self.values:
            return []
        numbers = list(self.values)
        values, objectives = np.array(list(self.values.values())), self.plan.spec.objectives
        losses = pareto.losses(values, objectives)
        mask = best(values, objectives)
        on_front = [number for number, is_on in zip(numbers, mask, strict=True) if is_on]
        return sorted(on_front, key=lambda number: losses[numbers.index(number), 0])

    def seconds_left(self) -> float | None:
        """A guess from the trials that ended in this launch; None before the first."""
        spent = time.monotonic() - self.began
        if not self.ended_here:
            return None
        guess = spent / self.ended_here * max(self.plan.trials_budget - self.done(), 0)
        if self.plan.hours is not None:
            guess = min(guess, max(self.plan.hours * 3600 - spent, 0.0))
        return guess


class Display:
    """Shows a View: live in a terminal, a line an ended trial otherwise."""

    def __init__(self, view: View, console: Console) -> None:
        self._view, self._console = view, console
        self._live = (
            Live(self._draw(), console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def take(self, event: Event | None) -> None:
        """Shows one event, or only the time passing."""
        line = self._view.take(event) if event is not None else None
        if self._live:
            if event is not None and event.name == "end" and line:
                self._console.print(line, highlight=False, markup=False)
            self._live.update(self._draw())
        elif line:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _draw(self) -> Group:
        view = self._view
        left = view.seconds_left()
        head = Text.assemble(
            (view.plan.search, "bold"),
            f"  {view.done()}/{view.plan.trials_budget} done",
            f"  {view.count('running')} running",
            f"  {view.count('stopped')} stopped early",
            (f"  {view.count('failed')} failed", "red" if view.count("failed") else ""),
            f"  about {left / 60:.1f} min left" if left is not None else f"  {view.message}",
        )
        return Group(head, _running(view), _front(view))


def _running(view: View) -> Text:
    epochs = view.plan.spec.budget.epochs
    running = [number for number, state in view.states.items() if state == "running"]
    parts = [f"{number:03d} epoch {view.epochs.get(number, 0)}/{epochs}" for number in running]
    return Text("running: " + (", ".join(parts[:8]) or "-"), style="dim")


def _front(view: View) -> Table:
    word = "Pareto front" if is_plain(view.plan.spec.objectives) else "Best"
    table = Table(title=f"{word} so far", title_justify="left", box=None)
    table.add_column("trial")
    for objective in view.plan.spec.objectives:
        table.add_column(objective.metric, justify="right")
    table.add_column("proposed by", style="dim")
    best = _best(view)
    for number in view.front()[:FRONT_ROWS]:
        cells = [
            Text(f"{value:.4f}", style="bold green" if best[index] == number else "")
            for index, value in enumerate(view.values[number])
        ]
        table.add_row(f"{number:03d}", *cells, Text(view.origins.get(number, "")))
    return table


def _best(view: View) -> list[int]:
    """The number of the best trial of each objective."""
    best = []
    for index, objective in enumerate(view.plan.spec.objectives):
        pick = max if objective.is_maximized else min
        best.append(
            pick(view.values, key=lambda number: view.values[number][index]) if view.values else -1
        )
    return best
