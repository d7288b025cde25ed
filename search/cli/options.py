"""What several commands take, with the defaults, and how they speak: in sentences, on a console.

For the commands of `__main__.py` and `store.py`, which look at a store of this machine by
default. Those of a cluster have no such defaults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

# Piped output has no width of its own; 80 columns would cut the names of searches.
WIDTH = None if sys.stdout.isatty() else 160
out, err = Console(width=WIDTH), Console(width=WIDTH, stderr=True)

ROOT = Path(__file__).resolve().parents[2]
RESULTS = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
DEFAULT_URI = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{RESULTS / 'mlflow.db'}"

Uri = Annotated[str, typer.Option("--tracking-uri", help="MLflow store or server.")]
SearchId = Annotated[str, typer.Argument(help="A search's id, or the beginning of it.")]
Results = Annotated[
    Path, typer.Option(help="Reports; its storage/ takes checkpoints and is shared by all nodes.")
]


def say(text: str) -> None:
    """Says a line, as it is."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def fail(text: str, code: int) -> NoReturn:
    """Says what went wrong and ends the command."""
    err.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(code)
