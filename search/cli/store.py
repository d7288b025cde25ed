"""The commands for what the store holds: look at past searches, report, export or attack a trial.

None of them starts a trial. What they show is made elsewhere (`views.py`, `report.py`,
`attack.py`, `transfer/export.py`), and imported only by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import DEFAULT_URI, RESULTS, Results, SearchId, Uri, fail, out, say


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(epilog="Example: twentieth history")(history)
    app.command(epilog="Example: twentieth show digits-1123-0915-a1b2")(show)
    app.command(epilog="Example: twentieth report digits-1123-0915-a1b2")(report)
    app.command(epilog="Example: twentieth export digits-1123-0915-a1b2#7 digits_network")(export)
    app.command(epilog="Example: twentieth attack digits-1123-0915-a1b2#7 --epsilon 8/255")(attack)
    app.command(epilog="Example: twentieth ui --port 5001")(ui)


def history(tracking_uri: Uri = DEFAULT_URI) -> None:
    """List the earlier searches, a line each."""
    from search.cli.views import searches_table

    out.print(searches_table(tracking_uri))


def show(
    search: SearchId,
    tracking_uri: Uri = DEFAULT_URI,
    trial: Annotated[int | None, typer.Option(min=0, help="Explain one trial.")] = None,
) -> None:
    """Show one search: its Pareto front and its best configurations, ready to paste."""
    from search.cli.views import print_search, print_trial

    if trial is None:
        print_search(out, search, tracking_uri)
    else:
        print_trial(out, search, trial, tracking_uri)


def report(
    search: SearchId,
    tracking_uri: Uri = DEFAULT_URI,
    results: Results = RESULTS,
) -> None:
    """Write results/<search>/ again, from the store alone."""
    from search.report.report import publish_report

    place, verdict = publish_report(search, tracking_uri, results)
    say(f"{place / 'report.md'}\n{verdict}")


def export(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty.")],
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Write a trial's model as a folder that others can load, with a model card."""
    from search.transfer.export import export_trial

    say(export_trial(tracking_uri, trial, folder))


def attack(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    epsilon: Annotated[
        list[str] | None, typer.Option(help="Size of the ball in pixels [0, 1]; 0.1, 8/255.")
    ] = None,
    norm: Annotated[str | None, typer.Option(help="linf or l2.")] = None,
    attack: Annotated[
        str, typer.Option(help="pgd, apgdt, autoattack, square, fgsm, or all.")
    ] = "all",
    examples: Annotated[int | None, typer.Option(min=1, help="How many images.")] = None,
    split: Annotated[str, typer.Option(help="test, or confirmation (part C).")] = "test",
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check the stored witnesses.")
    ] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Attack a trial's model again, or check what proves its figures."""
    from search.cli.attack import AttackRequest, attack_trial, verify_trial

    asked = AttackRequest(epsilon or (), norm, attack, examples, split)
    found = (
        verify_trial(tracking_uri, trial) if verify else attack_trial(tracking_uri, trial, asked)
    )
    for part in found:
        say(part) if isinstance(part, str) else out.print(part)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Open the MLflow page on the project's store, on loopback only."""
    from search.tracking.store import open_client
    from search.tracking.write.mlflow_views import links

    if tracking_uri.startswith("http"):
        fail(f"{tracking_uri} is a server already: open it in a browser", 2)
    client = open_client(tracking_uri)  # created first: MLflow's workers would race in it
    address = f"http://127.0.0.1:{port}"
    say(f"{address} (Ctrl-C ends it)")
    for experiment, link in links(client, address).items():
        say(f"{experiment}: {link}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri,
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    # In place of this process, so that one signal ends all; without MLflow's eight job workers.
    os.execve(sys.executable, command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
