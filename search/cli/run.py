"""The commands that run trials, `run` and `resume`, and `review`, which runs none.

Run and resume walk the loop (review, extract, apply, optimize, transfer), review its first half.
What they need is imported when a command is called, so that `twentieth --help` does not wait.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.options import DEFAULT_URI, RESULTS, Results, SearchId, Uri, fail, say
from search.history.provenance import provenance_text, read_origin
from search.spec import load_spec

SpecFile = Annotated[Path, typer.Argument(help="A spec; examples are in search/specs/.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec.")
]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster ('auto', host:port).")]
Trials = Annotated[int | None, typer.Option(min=1, help="How many trials.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(epilog="Example: twentieth run search/specs/digits.yaml --trials 20 --seed 1")(run)
    app.command(epilog="Example: twentieth resume digits-1123-0915-a1b2 --trials 8")(resume)
    app.command(epilog="Example: twentieth review search/specs/digits.yaml --json")(review)


def run(
    spec: SpecFile,
    settings: Settings = None,
    trials: Trials = None,
    cold: Annotated[bool, typer.Option("--cold", help="Ignore history.")] = False,
    tracking_uri: Uri = DEFAULT_URI,
    address: Address = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of sampler and trials.")] = None,
    results: Results = RESULTS,
) -> None:
    """Start a search: review, extract, apply, optimize, transfer."""
    from search import pipeline

    changes = list(settings or [])
    changes += [f"budget.trials={trials}"] * (trials is not None)
    changes += [f"seed={seed}"] * (seed is not None)
    checked = pipeline.with_changes(load_spec(spec, changes), cold=cold)
    _knock(address)
    prepared = pipeline.prepare(checked, tracking_uri, say=say)
    plan = pipeline.new_plan(prepared, tracking_uri, results / "storage", address, say)
    _run_to_the_end(plan, [], results)


def resume(
    search: SearchId,
    trials: Annotated[int, typer.Option(min=0, help="Trials to add to its budget.")] = 0,
    hours: Annotated[float | None, typer.Option(min=0, help="Time for this launch.")] = None,
    tracking_uri: Uri = DEFAULT_URI,
    address: Address = None,
    allow_function: Annotated[
        str | None, typer.Option(help="Trust this module:function named by the stored spec.")
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Continue an interrupted search, or extend a finished one."""
    from search import pipeline
    from search.tracking.read.history import read_history

    _knock(address)
    plan = pipeline.resumed_plan(
        search, tracking_uri, more_trials=trials, hours=hours, address=address,
        allow_function=allow_function, say=say,
    )  # fmt: skip
    own = read_history(tracking_uri, searches=[plan.search]).prior_trials(state=None)
    _run_to_the_end(plan, own, results)


def review(
    spec: SpecFile,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="List every run left out.")] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Say what history says for a spec; run nothing."""
    from search import pipeline

    speak = (lambda text: None) if as_json else say
    checked = load_spec(spec, settings or [])
    prepared = pipeline.prepare(checked, tracking_uri, say=speak, lines_shown=None)
    first = [vars(proposal) for proposal in prepared.proposals]
    left_out = [vars(row) for row in prepared.history.rejected]
    if as_json:
        experience = json.loads(prepared.experience.to_json())
        reconciled = prepared.reconciled
        document = {
            "task": prepared.task, "experience": experience,
            "decisions": [vars(decision) for decision in reconciled.decisions],
            "trials_left_out": reconciled.left_out,
            "first_configurations": first, "rejected": left_out,
        }  # fmt: skip
        print(json.dumps(document, indent=2, default=str))
        return
    for proposal in first:
        say(f"try       {json.dumps(proposal['configuration'])}")
        say(f"          because: {provenance_text(read_origin(proposal['origin']))}")
    for row in left_out if rejected else []:
        say(f"left out  {row['run_id']} {row['name']}: {row['reason']}")


def _knock(address: str | None) -> None:
    """Has Ray use our token, and says at once if the cluster refuses us; Ray would try for 40 s."""
    if address is None:
        return
    from search.cluster.access import admit, located

    admit(located(address, os.environ), os.environ)


def _run_to_the_end(plan: Any, own: list[Any], results: Path) -> None:
    from search.cli.follow import follow

    ended = follow(plan, own, results)
    if ended.message:
        fail(ended.message, ended.code)
    if ended.code:
        raise SystemExit(ended.code)
