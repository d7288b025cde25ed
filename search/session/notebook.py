"""A live table of a running search in a notebook, by IPython's display."""

from __future__ import annotations

import io
import sys
import time
from typing import Any

from rich.console import Console, RenderableType

from search.optimize.console import View, drawing
from search.tracking.write.journal import Event

# Each update is a message to the browser, which draws it anew.
REFRESH_SECONDS = 0.5
WIDTH = 110  # of a notebook's cell in characters, about
_PRE = (
    '<pre style="white-space:pre; overflow-x:auto; line-height:normal; '
    'font-family:ui-monospace,Menlo,monospace">{code}</pre>'
)


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython in a terminal is not."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


def as_html(drawn: RenderableType) -> tuple[str, str]:
    """Returns what rich draws as text and as HTML, in which all text is escaped."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False)
    console.print(drawn)
    text = console.export_text(clear=False)
    return text, console.export_html(inline_styles=True, code_format=_PRE)


class NotebookDisplay:
    """Shows a View in one output of the cell, and a line for each trial that failed."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._shown = 0.0
        self._handle: Any = None

    def __enter__(self) -> NotebookDisplay:
        from IPython.display import display

        self._handle = display(self._content(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.update(self._content(), raw=True)

    def take(self, event: Event | None) -> None:
        """Shows one event, or only the time that has passed."""
        line = self._view.take(event) if event is not None else None
        if line and event is not None and event.fields.get("state") == "failed":
            print(line)
        if time.monotonic() - self._shown >= REFRESH_SECONDS:
            self._shown = time.monotonic()
            self._handle.update(self._content(), raw=True)

    def _content(self) -> dict[str, str]:
        text, html = as_html(drawing(self._view))
        return {"text/plain": text, "text/html": html}
