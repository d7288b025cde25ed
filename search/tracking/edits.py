"""Change what a store says about a search: its name, what people wrote about it, or that it exists.

Nothing here touches a trial's results. The id of a search never changes: its trials' tags, the
references SEARCH#TRIAL in specs and lineages, `warm_started_from` and its storage go by it, also in
other stores and files. A new name is that of the run in the page, by which commands find it too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import tag_names
from search.tracking.store import trial_runs
from search.tracking.summary import (
    RUN_NAME,
    Summary,
    all_summaries,
    described,
    find_summary,
    note_of,
)
from search.tracking.write.batch import Batch

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A name is typed and shown in tables; MLflow itself allows 250 characters.
LONGEST_NAME = 80
_NAME = re.compile(r"[^\s#/\\][^#/\\\r\n\t]*")  # '#' is for SEARCH#TRIAL


def add_note(client: MlflowClient, summary: Summary, text: str, *, replaces: bool = False) -> str:
    """Adds a paragraph to a search's description, or replaces all that people wrote there.

    Returns:
        What people have written about the search now.

    Raises:
        ValueError: the text is empty, or a tag cannot hold it with what is there already.
    """
    text = text.strip()
    if not text and not replaces:
        raise ValueError("the note is empty; fix: write some text, or remove all with --replace ''")
    # As it is now: the page may have changed it since.
    tags = client.get_run(summary.run_id).data.tags
    note = "\n\n".join(part for part in ("" if replaces else note_of(tags), text) if part)
    whole = described(tag_names.joined_tag(tag_names.VERDICT, tags) or "", note)
    if len(whole) > tag_names.PIECE:
        raise ValueError(
            f"the description of {summary.search} would have {len(whole)} characters, and a tag "
            f"holds {tag_names.PIECE}; fix: shorten the note, or replace the old ones (--replace)"
        )
    client.set_tag(summary.run_id, tag_names.NOTE, whole)
    return note


def write_resume(client: MlflowClient, search: str, tags: Mapping[str, str], note: str) -> None:
    """Writes what a resume changes in a search's run; a second time it changes nothing.

    Raises:
        ValueError: the note has no room in the description.
    """
    if not tags and not note:
        return
    summary = find_summary(client, search)
    Batch(tags=dict(tags)).log(client, summary.run_id)
    if note and note not in note_of(summary.tags):
        add_note(client, summary, note)


def rename_search(client: MlflowClient, summary: Summary, name: str) -> None:
    """Gives a search another name; its own id takes the name away again.

    Raises:
        ValueError: it is no valid name, or another search has it as its id or name.
    """
    name = name.strip()
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} is no name for a search; fix: 1 to {LONGEST_NAME} characters on one line, "
            "without '#', '/' and '\\'"
        )
    for other in all_summaries(client):
        if other.search != summary.search and name in (other.search, other.name):
            raise ValueError(f"{name!r} is the search {other.search} already; fix: choose another")
    client.update_run(summary.run_id, name=RUN_NAME + name)


def delete_runs(client: MlflowClient, summary: Summary) -> int:
    """Deletes a search's runs as MLflow does, so that they can be restored; returns how many.

    The summary run goes last: if the store fails in between, the search can still be named.
    """
    runs = [run.info.run_id for run in trial_runs(client, summary.experiment_id, summary.search)]
    for run_id in [*runs, summary.run_id]:
        client.delete_run(run_id)
    return len(runs) + 1


def own_storage(summary: Summary) -> Path | None:
    """Returns the folder with a search's checkpoints, to be deleted; None if it is not here.

    Raises:
        ValueError: what the store names is not the folder of this search, and is left alone.
    """
    folder = summary.storage
    if not folder.is_absolute() or not folder.exists():
        return None
    is_own = folder.name == summary.search and any(folder.glob("generation-[0-9]*"))
    if not is_own or folder.is_symlink() or not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder that {summary.search} made; fix: look at it, and delete it "
            "yourself if it should go"
        )
    return folder


def delete_storage(folder: Path) -> None:
    """Deletes a folder that `own_storage` returned; a link in it goes, what it leads to stays."""
    shutil.rmtree(folder)
