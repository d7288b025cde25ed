"""Figures of a report, for the tests of plots."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from search.report.style import save


def png_of(figure: Figure | None, folder: Path) -> bytes:
    """Returns the PNG of a figure as a report writes it."""
    assert figure is not None
    save(figure, folder / "figure.png")
    return (folder / "figure.png").read_bytes()
