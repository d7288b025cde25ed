"""The command line: `twentieth`, or `python -m search`.

run and resume walk the loop (review, extract, apply, optimize, transfer); the other commands look
at what the store holds. What can go wrong is said in a sentence and exits with a number:
1 failed, 2 wrong input, 3 alive elsewhere or taken over, 4 safe but not sent to the store,
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from search import cluster_commands, doctor_command
from search.origin_words import in_words
from search.origins import read_origin
from search.spec import SpecError, load_spec
from search.tracking.ownership import SearchIsAlive

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Hyperparameter search that starts from everything already tried.",
)  # fmt: skip
# Piped output has no width of its own; 80 columns would cut the names of searches.
WIDTH = None if sys.stdout.isatty() else 160
out, err = Console(width=WIDTH), Console(width=WIDTH, stderr=True)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"
DEFAULT_URI = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{RESULTS / 'mlflow.db'}"

Uri = Annotated[str, typer.Option("--tracking-uri", help="MLflow store or server.")]
SpecFile = Annotated[Path, typer.Argument(help="A spec; examples are in search/specs/.")]
SearchId = Annotated[str, typer.Argument(help="A search's id, or the beginning of it.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec.")
]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster ('auto', host:port).")]
Results = Annotated[
    Path, typer.Option(help="Reports; its storage/ takes checkpoints and is shared by all nodes.")
]
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
    prepared = launching.prepare(checked, tracking_uri, say=_say)
    plan = launching.new_plan(prepared, tracking_uri, results / "storage", address, _say)
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
    from search.history import History

    plan = launching.resumed_plan(
        search, tracking_uri, more_trials=trials, hours=hours, address=address,
        allow_function=allow_function, say=_say,
    )  # fmt: skip
    own = History.from_mlflow(tracking_uri, searches=[plan.search]).prior_trials(state=None)
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

    say = (lambda text: None) if as_json else _say
    checked = load_spec(spec, settings or [])
    prepared = launching.prepare(checked, tracking_uri, say=say, lines_shown=None)
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
        _say(f"try       {json.dumps(proposal['configuration'])}")
        _say(f"          because: {in_words(read_origin(proposal['origin']))}")
    for row in left_out if rejected else []:
        _say(f"left out  {row['run_id']} {row['name']}: {row['reason']}")


@app.command(epilog="Example: twentieth history")
def history(tracking_uri: Uri = DEFAULT_URI) -> None:
    """List the earlier searches, a line each."""
    from search.views import searches_table

    out.print(searches_table(tracking_uri))


@app.command(epilog="Example: twentieth show digits-1123-0915-a1b2")
def show(
    search: SearchId,
    tracking_uri: Uri = DEFAULT_URI,
    trial: Annotated[int | None, typer.Option(min=0, help="Explain one trial.")] = None,
) -> None:
    """Show one search: its Pareto front and its best configurations, ready to paste."""
    from search.views import print_search, print_trial

    if trial is None:
        print_search(out, search, tracking_uri)
    else:
        print_trial(out, search, trial, tracking_uri)


@app.command(epilog="Example: twentieth report digits-1123-0915-a1b2")
def report(
    search: SearchId,
    tracking_uri: Uri = DEFAULT_URI,
    results: Results = RESULTS,
) -> None:
    """Write results/<search>/ again, from the store alone."""
    from search import reporting

    place, verdict = reporting.report(search, tracking_uri, results)
    _say(f"{place / 'report.md'}\n{verdict}")


@app.command(epilog="Example: twentieth export digits-1123-0915-a1b2#7 digits_network")
def export(
    trial: Annotated[str, typer.Argument(metavar="SEARCH#TRIAL", help="Or an MLflow run id.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty.")],
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Write a trial's model as a folder that others can load, with a model card."""
    from search.transfer.export import export_trial

    _say(export_trial(tracking_uri, trial, folder))


@app.command(epilog="Example: twentieth attack digits-1123-0915-a1b2#7 --epsilon 8/255")
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
    from search.attacking import Asked, attack_trial, verify_trial

    asked = Asked(epsilon or (), norm, attack, examples, split)
    found = (
        verify_trial(tracking_uri, trial) if verify else attack_trial(tracking_uri, trial, asked)
    )
    for part in found:
        _say(part) if isinstance(part, str) else out.print(part)


@app.command(epilog="Example: twentieth ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Open the MLflow page on the project's store, on loopback only."""
    from search.tracking.page import links
    from search.tracking.store import open_client

    if tracking_uri.startswith("http"):
        _fail(f"{tracking_uri} is a server already: open it in a browser", 2)
    client = open_client(tracking_uri)  # created first: MLflow's workers would race in it
    address = f"http://127.0.0.1:{port}"
    _say(f"{address} (Ctrl-C ends it)")
    for experiment, link in links(client, address).items():
        _say(f"{experiment}: {link}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri,
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    # In place of this process, so that one signal ends all; without MLflow's eight job workers.
    os.execve(sys.executable, command, os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _follow(plan: Any, own: list[Any], results: Path) -> None:
    from search.following import follow

    ended = follow(plan, own, results, out)
    if ended.message:
        _fail(ended.message, ended.code)
    if ended.code:
        raise SystemExit(ended.code)


def _say(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _fail(text: str, code: int) -> NoReturn:
    err.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(code)


def main() -> None:
    """Runs a command; what a user can cause is a sentence, not a traceback."""
    logging.getLogger("optuna").setLevel(logging.WARNING)
    logging.getLogger("search").setLevel(logging.ERROR)  # what it would say, `extract` says
    try:
        app()
    except SpecError as error:
        _fail(str(error), 2)
    except LookupError as error:
        _fail(str(error.args[0] if error.args else error), 2)
    except (OSError, ValueError) as error:
        _fail(str(error), 2)
    except SearchIsAlive as error:
        _fail(str(error), 3)


cluster_commands.register(app)
doctor_command.register(app)


if __name__ == "__main__":
    main()
