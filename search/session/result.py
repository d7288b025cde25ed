"""Results of Python's calls: a search as the store has it, and a search that was only reviewed."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from rich.console import Console

from search.experience import Experience
from search.history import History, Rejected, Trial
from search.history.plurals import counted
from search.report.flat_table import flat_table
from search.session.best import print_best
from search.space import Value
from search.tracking import tag_names
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from search.transfer.best import best_trials

WIDTH = 100  # of a table in text
# The report's plots that a notebook shows; the first that exists of each row.
_PLOTS = (("front.png", "pareto.png", "history.png"), ("curves.png",))
_LINES = 12  # of a preview; `lines` has all


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A search as the store has it when this is made.

    Attributes:
        search: The id of the search, for `search.resume` and the command line.
        state: "complete" (no trial is left to run, however they ended), "interrupted" (by Ctrl-C, a
            time limit or a crash), "stopped" (by `twentieth stop`), "failed" (its trials failed
            alike) or "running".
        trials: All trials, one a row: `number`, `state`, `config.*`, `objective.*`, `test.*`, ...
        front: The best trials by the objectives, that with the best first objective first.
        verdict: What history was worth to this search, in a sentence; "" before its report.
        report: The report, report.md among its plots and tables; None if it is not on this machine.
        tracking_uri: The store.
        results: The folder for reports and checkpoints.
    """

    search: str
    state: str
    trials: pd.DataFrame
    front: tuple[Trial, ...]
    verdict: str
    report: Path | None
    tracking_uri: str
    results: Path
    _history: History = field(repr=False)

    @property
    def best(self) -> Trial:
        """The trial of the front with the best first objective.

        Raises:
            LookupError: No trial is complete.
        """
        if not self.front:
            raise LookupError(
                f"no trial of {self.search} is complete; fix: search.resume({self.search!r}), or "
                "see `trials` for why they failed"
            )
        return self.front[0]

    def __repr__(self) -> str:
        text = [f"{self.search}: {self._counts()}", *filter(None, [self.verdict])]
        if self.search in self._history.searches:
            console = Console(file=io.StringIO(), width=WIDTH, force_jupyter=False)
            print_best(console, self._history, self.search)
            text.append(console.file.getvalue().rstrip())  # type: ignore[attr-defined]
        return "\n".join(filter(None, text))

    def _repr_html_(self) -> str:
        head = f"<p><b>{html.escape(self.search)}</b>: {html.escape(self._counts())}</p>"
        verdict = f"<p>{html.escape(self.verdict)}</p>" if self.verdict else ""
        return head + verdict + self._front_html() + "".join(map(_inline, self.plots))

    @property
    def plots(self) -> list[Path]:
        """The plots of the report that a notebook shows below the front; none without a report."""
        folder = None if self.report is None else self.report.parent
        rows = [[folder / name for name in row] for row in _PLOTS] if folder else []
        there = [[file for file in row if file.is_file()] for row in rows]
        return [row[0] for row in there if row]

    def _counts(self) -> str:
        states = self.trials["state"].value_counts().to_dict() if len(self.trials) else {}
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        return f"{self.state}, {counted(len(self.trials), 'trial')}" + (counts and f" ({counts})")

    def _front_html(self) -> str:
        if not self.front:
            return ""
        numbers = [trial.number for trial in self.front]
        rows = self.trials.set_index("number").loc[numbers].dropna(axis=1, how="all")
        shown = [
            name
            for kind in ("objective.", "test.", "config.")
            for name in rows
            if str(name).startswith(kind)
        ]
        return str(rows[shown].reset_index().to_html(index=False, float_format="{:.4g}".format))


def read_result(search: str, tracking_uri: str, results: Path) -> Result:
    """Returns a search of the store.

    Args:
        search: Its id or name, or an unambiguous beginning.
        tracking_uri: The store.
        results: The folder with the reports' folders.

    Raises:
        LookupError: There is no such search, or several.
        ConnectionError: The store does not answer.
    """
    summary = find_summary(open_client(tracking_uri), search)
    history = load_history(tracking_uri, searches=[summary.search])
    report = results / summary.search / "report.md"
    is_known = summary.search in history.searches
    return Result(
        search=summary.search, state=summary.state,
        trials=flat_table(history, summary.search).to_pandas() if is_known else pd.DataFrame(),
        front=tuple(best_trials(history, summary.search)) if is_known else (),
        verdict=tag_names.joined_tag(tag_names.VERDICT, summary.tags) or "",
        report=report if report.is_file() else None,
        tracking_uri=tracking_uri, results=results, _history=history,
    )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Preview:
    """What history says about a spec, and what would be tried first; nothing was run or stored.

    Attributes:
        task: The id of the task; trials of the same task are learned from as they are.
        lines: What `twentieth review` prints.
        first: The first configurations.
        origins: Who proposes each of them, and from which earlier trials.
        experience: What history taught about the task.
        rejected: The runs of the store that were left out, each with its reason.
    """

    task: str
    lines: tuple[str, ...]
    first: tuple[Mapping[str, Value], ...]
    origins: tuple[str, ...]
    experience: Experience
    rejected: tuple[Rejected, ...]

    def __repr__(self) -> str:
        more = len(self.lines) - _LINES
        rest = [f"... {counted(more, 'more line')} in .lines"] if more > 0 else []
        return "\n".join([f"preview of {self.task}", *self.lines[:_LINES], *rest])


def _inline(file: Path) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{file.stem}" style="max-width:100%"/>'
