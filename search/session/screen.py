"""What commands and scripts share before they begin: where results lie, and how sentences appear.

Sentences go to a terminal, a notebook or a file, and are wrapped only where there is a width.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from search.tracking.uris import store_uri

_ROOT = Path(__file__).resolve().parents[2]
PROJECT = _ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()
RESULTS = PROJECT / "results"
PROJECT_STORE = store_uri(RESULTS / "mlflow.db")
# Piped output has no width, unless COLUMNS gives one; 80 columns would wrap the tables.
HAS_WIDTH = sys.stdout.isatty() or "COLUMNS" in os.environ
WIDTH = None if HAS_WIDTH else 160
# The largest share of a line's width under which nothing is written: `doctor`'s labels take 30 of
# 80 columns.
LABELS = 0.4
# In a notebook rich would make a block of HTML of every line.
out, err = (
    Console(width=WIDTH, stderr=is_error, force_jupyter=False) for is_error in (False, True)
)


def default_uri() -> str:
    """Returns the MLflow store or server that MLFLOW_TRACKING_URI names, or that of the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or PROJECT_STORE


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silences what the printed lines say better."""
    levels = {
        "optuna": logging.WARNING, "search": logging.ERROR,
        "search.tracking.read.history": logging.WARNING,  # these are printed nowhere else
    }  # fmt: skip
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def say(text: str, to: Console = out) -> None:
    """Prints sentences as they are, broken only between words and only where there is a width."""
    say_raw(wrapped(text, to), to)


def say_raw(text: str, to: Console = out) -> None:
    """Prints a text as it is, for what people copy or programs read."""
    to.print(text, highlight=False, markup=False, soft_wrap=True)


def wrapped(text: str, console: Console) -> str:
    """Breaks a text's lines between words, where there is a width."""
    if not HAS_WIDTH:
        return text
    return "\n".join(wrapped_line(line, console.width) for line in text.split("\n"))


def wrapped_line(line: str, width: int) -> str:
    """Breaks a line between words; further lines begin under its text, not under its labels.

    A label is what two or more spaces follow, as in "review    4 trials"; a line may begin with
    several, as in "pass  versions      python 3.11". No id, path or option is broken, even if it is
    longer than the width. Labels that take too much of it, as a path in "folder/spec.yaml:1
    budget: ...", are not counted: under them lines begin after two spaces. A comment stays one.
    """
    labels = [gap.end() for gap in re.finditer(r"\s{2,}", line)]
    narrow = [size for size in labels if size <= LABELS * width]
    indent = "#   " if line.startswith("# ") else " " * max(narrow, default=2 * bool(labels))
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
