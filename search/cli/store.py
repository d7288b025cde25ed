"""The commands on the store: show past searches, report them, export or attack a trial.

None of them starts a trial. Their code (`tables.py`, `report/`, `attack.py`, `transfer/export.py`)
is imported only by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, get_args

import typer

from models.scores.metric_names import AttackName
from search.cli.options import (
    DEFAULT_URI,
    AllowCode,
    AsJson,
    ChangedCode,
    Results,
    SearchId,
    SearchOrTrial,
    Uri,
    fail,
)
from search.session.screen import PROJECT_STORE, RESULTS, out, say, say_raw


def history(
    task: Annotated[str, typer.Option(help="Task id or a prefix of it.")] = "",
    state: Annotated[
        str,
        typer.Option(help="complete, stopped, interrupted, failed, running, starting, imported."),
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            help="Only searches started at or after this time: 2026-11-29 or 2026-11-29T18:00.",
        ),
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="Only the N most recent searches.")
    ] = None,
    as_json: AsJson = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """List earlier searches, one per line, with best values, cost and duration.

    What `import-runs` and `import-study` wrote is listed too, an experiment a
    line. Runs that other tools logged are not: `review` says which count.
    """
    from search.cli.documents import HistoryDocument, to_json
    from search.cli.stored_searches import Wanted, runs_of_other_tools, stored_searches
    from search.cli.tables import history_lines
    from search.tracking.server import without_password
    from search.tracking.store import NoStore

    is_first = False
    try:
        found = stored_searches(tracking_uri, Wanted(task, state, since, last))
    except NoStore:
        if tracking_uri != PROJECT_STORE:  # another one was named, perhaps with a typing error
            raise
        found, is_first = HistoryDocument(()), True
    if as_json:
        print(to_json(found))
        return
    if is_first:
        say(f"No search yet: the first `twentieth run SPEC` creates {tracking_uri}.")
    elif not found.searches:
        fits = " that fits" if task or state or since or last else ""
        others = "" if fits else runs_of_other_tools(tracking_uri)
        say(f"No search{fits} in {without_password(tracking_uri)}.{others}")
    for line in history_lines(found.searches, out.width):
        say(line)


def show(
    search: SearchOrTrial,
    tracking_uri: Uri = DEFAULT_URI,
    log: Annotated[
        bool, typer.Option("--log", help="Print what your own code printed in that trial.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a search's best trials, ready to paste, or why one trial was tried."""
    from search.history.trial import search_and_number

    search, trial = search_and_number(search)
    if log:
        from search.cli.stored_searches import log_of_trial

        if trial is None:
            fail(f"--log is of one trial; fix: add its number, such as {search}#7", 2)
        say_raw(log_of_trial(tracking_uri, search, trial).rstrip())
        return
    if as_json:
        from search.cli import stored_searches as stored
        from search.cli.documents import to_json

        found = stored.stored_search(tracking_uri, search)
        if trial is None:
            print(to_json(stored.show_document(found)))
        else:
            names = found.history.trial_names()
            print(to_json(stored.trial_document(found, found.trial(trial), names)))
        return
    from search.cli.tables import print_search, print_trial

    if trial is None:
        print_search(out, search, tracking_uri)
    else:
        print_trial(out, search, trial, tracking_uri)


def schema(
    document: Annotated[
        str,
        typer.Argument(
            help="history, show, trial (of show SEARCH#TRIAL), compare, review or data."
        ),
    ],
) -> None:
    """Print the JSON schema of a command's --json output."""
    from search.cli.documents import schema_of

    print(schema_of(document))


def report(
    search: SearchId,
    tracking_uri: Uri = DEFAULT_URI,
    results: Results = RESULTS,
) -> None:
    """Regenerate results/<search>/ from the MLflow store."""
    from search.report.report import publish_report

    place, verdict = publish_report(search, tracking_uri, results)
    say(f"{place / 'report.md'}\n{verdict}")


def export(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Write an adapter for PEFT instead of a whole model.")
    ] = False,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Write model.onnx, too (networks on images; extra onnx).")
    ] = False,
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Export a trial's model and a model card to a folder that other tools can load."""
    from search.spec.own_code import Allowed
    from search.transfer.export import Form, export_trial

    if adapter and onnx:
        raise ValueError("--adapter is for transformers, --onnx for networks; fix: give one")
    form: Form = "adapter" if adapter else "onnx" if onnx else "model"
    say(export_trial(tracking_uri, trial, folder, Allowed(allow_code, changed_code), form))


def attack(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    epsilon: Annotated[
        list[str] | None,
        typer.Option(help="Radius on the pixel scale [0, 1], such as 0.1 or 8/255."),
    ] = None,
    norm: Annotated[str | None, typer.Option(help="linf or l2.")] = None,
    attack: Annotated[
        str, typer.Option(help=f"{', '.join(get_args(AttackName))}, or all.")
    ] = "all",
    examples: Annotated[int | None, typer.Option(min=1, help="Number of images.")] = None,
    split: Annotated[
        str, typer.Option(help="test, or confirmation (a part of the validation split).")
    ] = "test",
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check the stored adversarial examples.")
    ] = False,
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Attack a trial's model again, or check its stored adversarial examples."""
    from search.cli.attack import AttackRequest, attack_trial
    from search.cli.verify import verify_trial
    from search.spec.own_code import Allowed

    asked = AttackRequest(epsilon or (), norm, attack, examples, split)
    allowed = Allowed(allow_code, changed_code)
    found = (
        verify_trial(tracking_uri, trial, allowed)
        if verify
        else attack_trial(tracking_uri, trial, asked, allowed)
    )
    for part in found:
        say(part) if isinstance(part, str) else out.print(part)


def explain(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    examples: Annotated[
        int, typer.Option(min=1, max=20, help="Examples of each group: right, wrong, attacked.")
    ] = 4,
    baseline: Annotated[
        str, typer.Option(help="What images are compared with: black or grey.")
    ] = "black",
    allow_code: AllowCode = None,
    changed_code: ChangedCode = False,
    results: Results = RESULTS,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Show what a trial's model looks at: integrated gradients of images or texts."""
    from search.cli.explain import explain_model
    from search.spec.own_code import Allowed

    allowed = Allowed(allow_code, changed_code)
    for line in explain_model(
        tracking_uri, trial, results, examples=examples, baseline=baseline, allowed=allowed
    ):
        say(line)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Serve the MLflow UI for the project's store, on localhost only."""
    from search.tracking.store import open_client
    from search.tracking.uris import client_uri
    from search.tracking.write.mlflow_views import links

    if tracking_uri.startswith("http"):
        fail(f"{tracking_uri} is already a server; fix: open it in a browser", 2)
    client = open_client(tracking_uri)  # before MLflow's server, which would create one
    address = f"http://127.0.0.1:{port}"
    say(f"{address} (Ctrl-C stops the server)")
    for experiment, views in links(client, address).items():
        say(f"\n{experiment}")
        for title, link in views.items():
            say(f"  {title:<{max(map(len, views))}}  {link}")
    command = [sys.executable, "-m", "mlflow", "server",
               "--backend-store-uri", client_uri(tracking_uri),
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    # Replaces this process, so that one signal ends all; without MLflow's eight job workers.
    os.execve(sys.executable, command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
