"""The style of the benchmarks' pictures: that of the search's report, and more colours."""

from __future__ import annotations

from search.report.style import BLUE, GREEN, GREY, ORANGE, PINK, new_figure, save

__all__ = ["BLACK", "BLUE", "GREEN", "GREY", "ORANGE", "PINK", "SKY", "YELLOW", "new_figure",
           "save"]  # fmt: skip

# The other colours of Okabe and Ito 2008, "Color universal design".
SKY, YELLOW, BLACK = "#56B4E9", "#E69F00", "#222222"
