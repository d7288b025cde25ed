"""Options that several commands share, with their defaults, and how commands print messages.

The defaults are a store and a folder of this machine; the commands for a cluster have no such
defaults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

# Piped output has no width; 80 columns would wrap the tables.
WIDTH = None if sys.stdout.isatty() else 160
out, err = Console(width=WIDTH), Console(width=WIDTH, stderr=True)

STOPPED = 130  # a shell's exit code for what Ctrl-C ended
_ROOT = Path(__file__).resolve().parents[2]
PROJECT = _ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()
RESULTS = PROJECT / "results"
DEFAULT_URI = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{RESULTS / 'mlflow.db'}"

Uri = Annotated[str, typer.Option("--tracking-uri", help="MLflow store or server.")]
SearchId = Annotated[str, typer.Argument(help="A search's id, or the beginning of it.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec.")
]
Results = Annotated[
    Path, typer.Option(help="For reports; its storage/, for checkpoints, is shared by all nodes.")
]


def say(text: str) -> None:
    """Prints a text as it is."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def fail(text: str, code: int) -> NoReturn:
    """Prints what went wrong and ends the command."""
    err.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(code)


def changed_keys(settings: list[str] | None, trials: int | None, seed: int | None) -> list[str]:
    """The changes to a spec that `--set`, `--trials` and `--seed` ask for, as `key=value`."""
    changes = [*(settings or ())]
    changes += [f"budget.trials={trials}"] * (trials is not None)
    return changes + [f"seed={seed}"] * (seed is not None)
