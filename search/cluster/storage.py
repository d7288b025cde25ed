"""Check that storage is one folder for all nodes: each reads there what any other wrote.

A folder that exists on every node, but is local to each, would lose a trial's checkpoints with its
node, and Tune fails every trial without shared storage, but only once it starts.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from search.cluster.check import Check, failed, failed_if
from search.cluster.nodes import HERE, Nodes, problems
from search.history.plurals import counted

DRIVER = "the driver"
# NFS may answer "no such file" from its cache for some seconds after another host wrote it.
VISIBLE_WITHIN_SECONDS = 5.0


def write_mark(folder: str, token: str) -> str:
    """Write a small file on a node and return its name.

    Raises:
        OSError: The folder is missing (it is not created: a missing mount must be noticed), or
            refuses.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    name = f".doctor-{token}-{uuid.uuid4().hex}"
    (Path(folder) / name).write_text(token)
    return name


def unseen_marks(folder: str, token: str, names: list[str]) -> list[str]:
    """Return which of these files a node does not see, or not with their content."""
    deadline = time.monotonic() + VISIBLE_WITHIN_SECONDS
    while True:
        unseen = [name for name in names if not _has_content(Path(folder) / name, token)]
        if not unseen or time.monotonic() > deadline:
            return unseen
        time.sleep(0.2)


def remove_marks(folder: str, names: list[str]) -> None:
    """Remove those of these files that a node sees."""
    for name in names:
        with contextlib.suppress(OSError):
            (Path(folder) / name).unlink()


def check_storage(nodes: Nodes, folder: Path) -> Check:
    """Check that all nodes, and the driver, write into `folder` and read each other's files."""
    place, token = str(folder), uuid.uuid4().hex[:12]
    try:
        folder.mkdir(parents=True, exist_ok=True)  # as a search would
        marks = {DRIVER: write_mark(place, token)}
    except OSError as error:
        fix = "give a folder that you may write with --results, or mount it"
        return failed("storage", f"{folder} cannot be written here: {error}", fix)
    try:
        written = nodes.ask(write_mark, place, token)
        marks |= {name: str(reply.value) for name, reply in written.items() if not reply.problem}
        if wrong := problems(written):
            fix = f"mount the shared storage at {folder} on every node, writable for Ray's user"
            return failed("storage", f"cannot be written on {wrong}", fix)
        return _seen_by_all(nodes, folder, token, marks)
    finally:
        names = list(marks.values())
        nodes.ask(remove_marks, place, names)
        remove_marks(place, names)


def _seen_by_all(nodes: Nodes, folder: Path, token: str, marks: Mapping[str, str]) -> Check:
    names = list(marks.values())
    replies = nodes.ask(unseen_marks, str(folder), token, names)
    if wrong := problems(replies):
        return failed("storage", f"cannot be read on {wrong}", f"mount it at {folder} there")
    unseen = {name: list(reply.value) for name, reply in replies.items()}
    unseen[DRIVER] = unseen_marks(str(folder), token, names)
    blind = [
        f"{reader} does not see what {writer} wrote"
        for reader, missing in unseen.items()
        for writer, mark in marks.items()
        if mark in missing
    ]
    more = f"; {counted(len(blind) - 3, 'more pair')}" if len(blind) > 3 else ""
    who = "writable" if list(replies) == [HERE] else f"one folder for {len(replies)} nodes"
    return failed_if(
        "storage",
        f"{folder} is not shared: {'; '.join(blind[:3])}{more}" if blind else "",
        f"mount one file system (NFS, EFS, Lustre) at {folder} on every node, or name with "
        "--results a folder that is shared; a local one loses checkpoints with its node",
        f"{folder} is {who}",
    )


def _has_content(file: Path, token: str) -> bool:
    try:
        return file.read_bytes() == token.encode()
    except OSError:
        return False
