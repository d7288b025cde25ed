"""Options that several commands share, with their defaults, and how commands print messages.

The defaults are a store and a folder of this machine; the commands for a cluster have no such
defaults.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

# Piped output has no width, unless COLUMNS gives one; 80 columns would wrap the tables.
HAS_WIDTH = sys.stdout.isatty() or "COLUMNS" in os.environ
WIDTH = None if HAS_WIDTH else 160
out, err = Console(width=WIDTH), Console(width=WIDTH, stderr=True)

STOPPED = 130  # a shell's exit code for what Ctrl-C ended
_ROOT = Path(__file__).resolve().parents[2]
PROJECT = _ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()
RESULTS = PROJECT / "results"
DEFAULT_URI = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{RESULTS / 'mlflow.db'}"
_TRIAL = re.compile(r"(?P<search>[^#]+)#(?P<number>\d{1,9})")

Uri = Annotated[str, typer.Option("--tracking-uri", help="MLflow store or server.")]
SearchId = Annotated[str, typer.Argument(help="Search id or name, or an unambiguous prefix.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the spec (repeatable)."),
]
AllowCode = Annotated[
    str | None,
    typer.Option(metavar="MODULE:FUNCTION", help="Allow the stored spec to run this own code."),
]
ChangedCode = Annotated[
    bool,
    typer.Option(
        "--changed-code", help="Go on although that code has changed, with comparable results."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; see `twentieth schema`.")]
Results = Annotated[
    Path,
    typer.Option(help="Folder for reports and checkpoints; all nodes must share its storage/."),
]


def say(text: str, to: Console = out) -> None:
    """Prints sentences as they are, broken only between words and only where there is a width."""
    say_raw(_wrapped(text, to), to)


def say_raw(text: str, to: Console = out) -> None:
    """Prints a text as it is, for what people copy or programs read."""
    to.print(text, highlight=False, markup=False, soft_wrap=True)


def fail(text: str, code: int) -> NoReturn:
    """Prints what went wrong and ends the command."""
    wrapped = _wrapped(text, err)
    err.print(wrapped, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(code)


def _wrapped(text: str, console: Console) -> str:
    if not HAS_WIDTH:
        return text
    return "\n".join(wrapped_line(line, console.width) for line in text.split("\n"))


def wrapped_line(line: str, width: int) -> str:
    """Breaks a line between words; further lines begin under its text, not under its label.

    A label is what two or more spaces follow, as in "review    4 trials". No id, path or option is
    broken, even if it is longer than the width. Under a label that takes over a third of the width,
    as a path in "folder/spec.yaml:1  budget: ...", lines begin after two spaces.
    """
    label = re.match(r"\S*\s{2,}", line)
    size = label.end() if label else 0
    indent = " " * (size if size <= width // 3 else 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def named_trial(text: str) -> tuple[str, int]:
    """The search and the number of a trial that is written as SEARCH#TRIAL.

    Raises:
        ValueError: it is written in another way.
    """
    match = _TRIAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no trial; fix: write SEARCH#TRIAL, such as digits-1123#7")
    return match["search"], int(match["number"])


def changed_keys(settings: list[str] | None, trials: int | None, seed: int | None) -> list[str]:
    """The changes to a spec that `--set`, `--trials` and `--seed` ask for, as `key=value`."""
    changes = [*(settings or ())]
    changes += [f"budget.trials={trials}"] * (trials is not None)
    return changes + [f"seed={seed}"] * (seed is not None)
