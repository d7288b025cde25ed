"""The commands that act on a search in the store: stop, note, rename and delete it.

They work from any machine that reaches the store. None of them changes a trial's results. Lines of
a help text are short here, for typer keeps their ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import DEFAULT_URI, SearchId, SearchOrTrial, Uri
from search.history.plurals import counted
from search.session.screen import say

if TYPE_CHECKING:
    from search.tracking.summary import Summary


def stop(
    search: SearchOrTrial,
    finish: Annotated[
        bool, typer.Option("--finish", help="Let running trials finish first.")
    ] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """End a running search, or one of its trials; the search can be resumed.

    When a search is stopped, no new trials start, the running ones are
    interrupted, the best trials are evaluated and the report is written;
    `resume` continues the interrupted trials. Stopping a single trial ends it
    after its current epoch and marks it as stopped by the user. It is not
    resumed, and the other trials continue.
    """
    from search.history.trial import search_and_number
    from search.tracking.ownership import HEARTBEAT_SECONDS
    from search.tracking.stop_requests import request_stop
    from search.tracking.store import open_client
    from search.tracking.summary import find_summary

    name, number = search_and_number(search)
    client = open_client(tracking_uri)
    summary = find_summary(client, name)
    if summary.state != "running":
        raise ValueError(f"{summary.search} is not running: it is {summary.state}")
    if number is not None:
        if finish:
            raise ValueError("--finish is for a whole search; fix: leave it out for one trial")
        _check_that_the_trial_runs(tracking_uri, summary, number)
    request_stop(
        client, summary.run_id, summary.generation, trial=number, lets_trials_finish=finish
    )
    seen = f"its driver looks every {HEARTBEAT_SECONDS:.0f} s"
    if number is not None:
        say(f"asked {summary.search} to stop trial {number}: {seen}, and ends it after its epoch")
        return
    rest = "lets its running trials finish" if finish else "interrupts its running trials"
    say(
        f"asked {summary.search} to stop: {seen}, {rest}, and evaluates its best trials\n"
        f"go on later with: twentieth resume {summary.search}"
    )


def note(
    search: SearchId,
    text: Annotated[
        str, typer.Argument(help="One paragraph; Markdown is rendered in the MLflow UI.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace all earlier notes; '' removes them.")
    ] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Add a note to a search, shown as the description of its run in the MLflow UI."""
    from search.tracking.edits import add_note
    from search.tracking.store import open_client
    from search.tracking.summary import find_summary

    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    written = add_note(client, summary, text, replaces=replace)
    say(f"{summary.search}: {written or 'no note'}")


def rename(
    search: SearchId,
    name: Annotated[
        str, typer.Argument(metavar="NEW", help="The new name; give the id to undo it.")
    ],
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Rename a search in the MLflow UI; commands accept its id and its name.

    The id cannot change: it is used by trials, by the storage folder and in
    references such as SEARCH#TRIAL.
    """
    from search.tracking.edits import rename_search
    from search.tracking.store import open_client
    from search.tracking.summary import find_summary

    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    rename_search(client, summary, name)
    say(f"{summary.search} is now called {name.strip()}; commands find it by both")


def delete(
    search: SearchId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    with_files: Annotated[
        bool, typer.Option("--with-files", help="Delete its checkpoints too, for good.")
    ] = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Delete a search and its trials from the store; later searches no longer learn from it.

    The runs can be restored with `mlflow runs restore` until `mlflow gc` is run.
    Searches that learned from it, or started from its weights, keep what they
    took. Imported runs are deleted by the name by which `history` lists them.
    """
    from search.tracking.edits import delete_runs, delete_storage, own_storage
    from search.tracking.imports.stored import is_import
    from search.tracking.ownership import refuse_if_alive
    from search.tracking.store import open_client, trial_runs
    from search.tracking.summary import find_summary

    if is_import(search):
        _delete_import(tracking_uri, search, yes=yes, with_files=with_files)
        return
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    refuse_if_alive(client, summary.run_id, summary.search, "deleted", say)
    folder = own_storage(summary) if with_files else None
    trials = len(trial_runs(client, summary.experiment_id, summary.search))
    files = _files_in_words(summary.storage, folder, with_files=with_files)
    say(f"{summary.search}: {counted(trials, 'trial')}, {summary.state}\n{files}")
    if not yes:
        typer.confirm("Delete it?", abort=True)
        # Somebody may have resumed it meanwhile.
        refuse_if_alive(client, summary.run_id, summary.search, "deleted", say)
    runs = delete_runs(client, summary)
    if folder is not None:
        delete_storage(folder)
    say(f"deleted {counted(runs, 'run')}; to restore one: mlflow runs restore --run-id RUN")


def _delete_import(tracking_uri: str, search: str, *, yes: bool, with_files: bool) -> None:
    from search.tracking.imports.stored import delete_import, find_import
    from search.tracking.store import open_client

    if with_files:
        raise ValueError("imported runs have no checkpoints; fix: leave out --with-files")
    client = open_client(tracking_uri)
    stored = find_import(client, search)
    runs = counted(len(stored.runs), "imported run")
    say(f"{search}: {runs} in the experiment {stored.experiment}")
    if not yes:
        typer.confirm("Delete them?", abort=True)
    delete_import(client, stored)
    say(f"deleted {runs}; to have them again, import them again")


def _check_that_the_trial_runs(tracking_uri: str, summary: Summary, number: int) -> None:
    from search.tracking.read.history import load_history

    trials = load_history(tracking_uri, searches=[summary.search]).prior_trials(state=None)
    states = {trial.number: trial.state for trial in trials}
    running = [str(each) for each, state in sorted(states.items()) if state == "running"]
    listed = f"running are: {', '.join(running) or 'none'}"
    if number not in states:
        raise LookupError(f"{summary.search} has no trial {number}; {listed}")
    if states[number] != "running":
        raise ValueError(
            f"trial {number} of {summary.search} is not running: it is {states[number]}; {listed}"
        )


def _files_in_words(storage: Path, folder: Path | None, *, with_files: bool) -> str:
    if folder is not None:
        return f"its checkpoints are lost for good: {folder}"
    if with_files:
        return f"its checkpoints are not on this machine and stay where they are: {storage}"
    return f"its checkpoints stay in {storage}; --with-files deletes them too"
