"""Ownership of a search: claim it, check whether its owner is alive, fence off the old owner.

The summary run carries owner, generation and heartbeat. A store has no compare-and-set, so a claim
holds a file lock in the search's storage path and creates the file `generation-<n>` there, which
only one process can do. A worker of an older generation sees the newer file and stops.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

from search.tracking import tag_names
from search.tracking.deleted import living_tags
from search.tracking.runs import real_number, whole_number

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEARTBEAT_SECONDS = 10.0
# Six missed heartbeats. Only for listings; `claim` does not decide by age.
STALE_SECONDS = 60.0
# How long a claim watches for a heartbeat: one interval, the longest pause of a writer whose server
# was unavailable (15 s), and a margin for a server under load.
WATCH_SECONDS = 3 * HEARTBEAT_SECONDS
POLL_SECONDS = 2.0
# A claim writes four tags, which takes seconds on a slow server.
CLAIM_LOCK_SECONDS = 60.0
# As `owner_name` writes it.
_OWNER = re.compile(r"(?P<host>.+):(?P<pid>[0-9]{1,9}):(?P<started>[0-9]{1,12})")


class SearchIsAlive(RuntimeError):
    """Another process owns the search; the message says which one and where."""


def owner_name() -> str:
    """Returns a name for this process: host, process id and start time of the process."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}:{os.getpid()}:{started:.0f}"


def is_alive(tags: Mapping[str, str]) -> bool:
    """Returns whether a search's owner seems to be alive, from the tags of its summary run.

    A quick check for listings; `claim` is exact. On the owner's own machine the process is looked
    up, so a killed driver is noticed at once. Elsewhere the age of the heartbeat decides, which is
    wrong by the difference of the two clocks, so a heartbeat far in the future counts as stale, as
    does one that is no number.
    """
    known = _known_here(tags)
    if known is not None:
        return known
    heartbeat = real_number(tags.get(tag_names.HEARTBEAT))
    return abs(time.time() - heartbeat) < STALE_SECONDS


def claim(
    client: MlflowClient,
    summary_run: str,
    storage: Path,
    owner: str,
    watch_seconds: float = WATCH_SECONDS,
) -> int:
    """Makes `owner` the owner of the search; returns the new generation.

    An owner on another machine is alive if its heartbeat changes while we watch. The heartbeat's
    age proves nothing: an old one may come from a live driver whose clock is behind, a fresh one
    from a dead driver whose clock was ahead. So watching costs `watch_seconds` once per resume.

    Raises:
        SearchIsAlive: its owner is alive, or another claim came first.
        SearchDeleted: it was deleted in the store.
    """
    storage.mkdir(parents=True, exist_ok=True)
    # Before taking the lock, which others may wait for.
    watched = _watch(client, summary_run, watch_seconds)
    with _claim_lock(storage):
        tags = living_tags(client, summary_run)
        known = _known_here(tags)
        if known or (known is None and _heartbeat(tags) != watched):
            raise SearchIsAlive(_who(tags))
        known_generation = whole_number(tags.get(tag_names.GENERATION))
        generation = max(known_generation, newest_generation(storage)) + 1
        try:  # decides where file locks do not work (some network file systems)
            with (storage / f"generation-{generation}").open("x") as file:
                file.write(owner)
        except FileExistsError:
            raise SearchIsAlive("another process has just taken over this search") from None
        for name, text in (
            (tag_names.GENERATION, str(generation)),
            (tag_names.OWNER, owner),
            (tag_names.HEARTBEAT, str(int(time.time()))),
            (tag_names.STATE, "running"),
        ):
            client.set_tag(summary_run, name, text)
    client.update_run(summary_run, status="RUNNING")
    return generation


@contextlib.contextmanager
def _claim_lock(storage: Path) -> Iterator[None]:
    """Holds the lock of those that claim a search.

    Raises:
        SearchIsAlive: another process holds it, and does not let go.
    """
    lock = FileLock(storage / "claim.lock")
    try:
        lock.acquire(timeout=CLAIM_LOCK_SECONDS)
    except Timeout as error:
        raise SearchIsAlive(
            f"another process is taking it over, and has held {lock.lock_file} for "
            f"{CLAIM_LOCK_SECONDS:.0f} s; fix: try again, or end that process"
        ) from error
    try:
        yield
    finally:
        lock.release()


def refuse_if_alive(
    client: MlflowClient,
    summary_run: str,
    search: str,
    refused: str,
    say: Callable[[str], None],
    watch_seconds: float = WATCH_SECONDS,
) -> None:
    """Checks that a search has no live owner, as exactly as a claim, within `watch_seconds`.

    Args:
        client: Of the store with the search.
        summary_run: The summary run of the search.
        search: The id of the search, for the message.
        refused: What is not done with a search that is alive, such as "resumed".
        say: Is told of a watch, which takes time.
        watch_seconds: How long the heartbeat of an owner elsewhere is watched.

    Raises:
        SearchIsAlive: its owner is alive; the message has the fix.
    """
    tags = client.get_run(summary_run).data.tags
    known = _known_here(tags)
    try:
        if known:
            raise SearchIsAlive(_who(tags))
        if known is None:
            owner = tags.get(tag_names.OWNER)
            say(f"it was run by {owner}; watching {watch_seconds:.0f} s for a new heartbeat")
            _watch(client, summary_run, watch_seconds)
    except SearchIsAlive as error:
        fix = f"fix: wait until it ends, or end it by: twentieth stop {search}"
        raise SearchIsAlive(f"{search} is not {refused}: {error}; {fix}") from None


def newest_generation(storage: Path) -> int:
    """Returns the highest generation that claimed this storage path; 0 if none did."""
    numbers = [
        int(match.group(1))
        for path in (storage.iterdir() if storage.is_dir() else ())
        if (match := re.fullmatch(r"generation-(\d+)", path.name))
    ]
    return max(numbers, default=0)


def _known_here(tags: Mapping[str, str]) -> bool | None:
    """Returns whether the owner is alive; None for one elsewhere, or a name that is not ours."""
    owner = tags.get(tag_names.OWNER, "")
    if not owner or tags.get(tag_names.STATE) != "running":
        return False
    match = _OWNER.fullmatch(owner)
    if match is None or match["host"] != socket.gethostname():
        return None
    return _process_lives(int(match["pid"]), int(match["started"]))


def _watch(client: MlflowClient, summary_run: str, seconds: float) -> tuple[str, ...]:
    """Watches the heartbeat of an owner on another machine; returns it if it did not change.

    Raises:
        SearchIsAlive: the heartbeat changed.
    """
    deadline = time.monotonic() + seconds
    first: tuple[str, ...] = ()
    while True:
        tags = client.get_run(summary_run).data.tags
        first = first or _heartbeat(tags)
        left = deadline - time.monotonic()
        if _known_here(tags) is not None:
            return _heartbeat(tags)
        if _heartbeat(tags) != first:
            raise SearchIsAlive(_who(tags))
        if left <= 0:
            return first
        time.sleep(min(POLL_SECONDS, left))


def _heartbeat(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        tags.get(name, "") for name in (tag_names.OWNER, tag_names.GENERATION, tag_names.HEARTBEAT)
    )


def _process_lives(pid: int, started: int) -> bool:
    try:
        process = psutil.Process(pid)
        # Process ids are reused, so the start time must agree too (to a second or two).
        is_same = abs(process.create_time() - started) < 2.0
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _who(tags: Mapping[str, str]) -> str:
    owner, known = tags.get(tag_names.OWNER), _known_here(tags)
    return f"it is being run by {owner}" + ("" if known else ", whose heartbeat still changes")
