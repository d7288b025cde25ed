"""The command line: `twentieth`, or `python -m search`.

run and resume walk the loop (review, extract, apply, optimize, transfer), and review its first
half. The other commands look at what the store holds (`store_commands.py`), at a cluster
(`cluster_commands.py`) and at machines (`doctor_command.py`). What can go wrong is said in a
sentence and exits with a number: 1 failed, 2 wrong input, 3 alive elsewhere or taken over, 4 safe
but not sent to the store, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from search import cluster_commands, doctor_command, store_commands
from search.command_options import DEFAULT_URI, RESULTS, Results, SearchId, Uri, fail, say
from search.history.provenance import in_words, read_origin
from search.spec import SpecError, load_spec
from search.tracking.ownership import SearchIsAlive

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Hyperparameter search that starts from everything already tried.",
)  # fmt: skip

SpecFile = Annotated[Path, typer.Argument(help="A spec; examples are in search/specs/.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec.")
]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster ('auto', host:port).")]
Trials = Annotated[int | None, typer.Option(min=1, help="How many trials.")]


@app.command(epilog="Example: twentieth run search/specs/digits.yaml --trials 20 --seed 1")
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
    from search import launching

    changes = list(settings or [])
    changes += [f"budget.trials={trials}"] * (trials is not None)
    changes += [f"seed={seed}"] * (seed is not None)
    checked = launching.with_changes(load_spec(spec, changes), cold=cold)
    _knock(address)
    prepared = launching.prepare(checked, tracking_uri, say=say)
    plan = launching.new_plan(prepared, tracking_uri, results / "storage", address, say)
    _follow(plan, [], results)


@app.command(epilog="Example: twentieth resume digits-1123-0915-a1b2 --trials 8")
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
    from search import launching

    _knock(address)
    plan = launching.resumed_plan(
        search, tracking_uri, more_trials=trials, hours=hours, address=address,
        allow_function=allow_function, say=say,
    )  # fmt: skip
    from search.tracking.reading import read_history

    own = read_history(tracking_uri, searches=[plan.search]).prior_trials(state=None)
    _follow(plan, own, results)


@app.command(epilog="Example: twentieth review search/specs/digits.yaml --json")
def review(
    spec: SpecFile,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="List every run left out.")] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Say what history says for a spec; run nothing."""
    from search import launching

    speak = (lambda text: None) if as_json else say
    checked = load_spec(spec, settings or [])
    prepared = launching.prepare(checked, tracking_uri, say=speak, lines_shown=None)
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
        say(f"          because: {in_words(read_origin(proposal['origin']))}")
    for row in left_out if rejected else []:
        say(f"left out  {row['run_id']} {row['name']}: {row['reason']}")


def _knock(address: str | None) -> None:
    """Has Ray use our token, and says at once if the cluster refuses us; Ray would try for 40 s."""
    if address is None:
        return
    from search.diagnose.admission import admit, located

    admit(located(address, os.environ), os.environ)


def _follow(plan: Any, own: list[Any], results: Path) -> None:
    from search.following import follow

    ended = follow(plan, own, results)
    if ended.message:
        fail(ended.message, ended.code)
    if ended.code:
        raise SystemExit(ended.code)


def main() -> None:
    """Runs a command; what a user can cause is a sentence, not a traceback."""
    logging.getLogger("optuna").setLevel(logging.WARNING)
    logging.getLogger("search").setLevel(logging.ERROR)  # what it would say, `extract` says
    try:
        app()
    except SpecError as error:
        fail(str(error), 2)
    except LookupError as error:
        fail(str(error.args[0] if error.args else error), 2)
    except (OSError, ValueError) as error:
        fail(str(error), 2)
    except SearchIsAlive as error:
        fail(str(error), 3)


store_commands.register(app)
cluster_commands.register(app)
doctor_command.register(app)


if __name__ == "__main__":
    main()
