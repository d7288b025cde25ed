"""Options that several commands share, with their defaults, and how commands print messages.

The defaults are a store and a folder of this machine; the commands for a cluster have no such
defaults.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from search.session.screen import default_uri, err, wrapped

STOPPED = 130  # a shell's exit code for what Ctrl-C ended
DEFAULT_URI = default_uri()

Uri = Annotated[str, typer.Option("--tracking-uri", help="MLflow store or server.")]
SearchId = Annotated[str, typer.Argument(help="Search id or name, or an unambiguous prefix.")]
SearchOrTrial = Annotated[
    str, typer.Argument(metavar="SEARCH[#TRIAL]", help="A search, or one of its trials.")
]
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
First = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="YAML list of configurations to try before all others."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; see `twentieth schema`.")]
Results = Annotated[
    Path,
    typer.Option(help="Folder for reports and checkpoints; all nodes must share its storage/."),
]


def fail(text: str, code: int) -> NoReturn:
    """Prints what went wrong and ends the command."""
    err.print(wrapped(text, err), style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(code)


def changed_keys(settings: list[str] | None, trials: int | None, seed: int | None) -> list[str]:
    """The changes to a spec that `--set`, `--trials` and `--seed` ask for, as `key=value`.

    Who asks for a number of trials gets all of them, on a task that was searched before too.
    """
    changes = [*(settings or ())]
    if trials is not None:
        changes += [f"budget.trials={trials}", "budget.stop=never"]
    return changes + [f"seed={seed}"] * (seed is not None)
