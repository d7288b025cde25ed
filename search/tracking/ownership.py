"""A search has one owner: claim it, see whether its owner lives, fence off the old one.

The summary run carries owner, generation and heartbeat. A store has no compare-and-set, so a claim
holds a file lock in the search's storage path, and leaves there the file `generation-<n>`, which
only one process can create. A worker of an older generation sees the newer file and stops.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock

from search.tracking import tag_names

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEARTBEAT_SECONDS = 10.0
# Six missed heartbeats: for listing, where nothing is decided.
STALE_SECONDS = 60.0
# How long a claim watches for a heartbeat: one that was just missed, the longest pause of a writer
# whose server was away (15 s), and as much again as a server under load takes to answer.
WATCH_SECONDS = 3 * HEARTBEAT_SECONDS
LOOK_SECONDS = 2.0
# A claim writes four tags; over a slow server that is seconds.
CLAIM_LOCK_SECONDS = 60.0


class SearchIsAlive(RuntimeError):
    """Another process owns the search; says which and where."""


def owner_name() -> str:
    """This process, recognisable on its machine: host, process id and the process's start."""
    started = psutil.Process().create_time()
    return f"{socket.gethostname()}:{os.getpid()}:{started:.0f}"


def is_alive(tags: Mapping[str, str], now: float | None = None) -> bool:
    """Whether the owner named by a summary run's tags seems to run the search: quick, for listing.

    On the owner's own machine the process is looked up, so a killed driver is noticed at once;
    elsewhere the age of the heartbeat is taken, which is wrong by as much as two clocks differ. So
    a heartbeat from far in the future counts as no better than an old one. `claim` is exact.
    """
    known = _known_here(tags)
    if known is not None:
        return known
    heartbeat = float(tags.get(tag_names.HEARTBEAT, "0"))
    return abs((now or time.time()) - heartbeat) < STALE_SECONDS


def claim(
    client: MlflowClient,
    summary_run: str,
    storage: Path,
    owner: str,
    watch_seconds: float = WATCH_SECONDS,
) -> int:
    """Makes `owner` the owner of the search; returns the new generation.

    Of an owner on another machine only this is certain: that its heartbeat changes while we watch,
    by whatever clock. Its age is no sign. One that looks old may come from a living driver whose
    clock is behind, one that looks fresh from a dead driver whose clock was ahead; so it is watched
    in either case, which costs `watch_seconds` once a resume.

    Raises:
        SearchIsAlive: it has an owner that lives, or another claim came first.
    """
    storage.mkdir(parents=True, exist_ok=True)
    watched = _watch(client, summary_run, watch_seconds)  # before the lock: others may have to wait
    with FileLock(storage / "claim.lock", timeout=CLAIM_LOCK_SECONDS):
        tags = client.get_run(summary_run).data.tags
        known = _known_here(tags)
        if known or (known is None and _sign(tags) != watched):
            raise SearchIsAlive(_who(tags))
        generation = max(int(tags.get(tag_names.GENERATION, "0")), newest_generation(storage)) + 1
        try:  # where the lock does not reach (some network file systems), this still decides
            with (storage / f"generation-{generation}").open("x") as file:
                file.write(owner)
        except FileExistsError:
            raise SearchIsAlive("another process has just taken this search over") from None
        for name, text in (
            (tag_names.GENERATION, str(generation)),
            (tag_names.OWNER, owner),
            (tag_names.HEARTBEAT, str(int(time.time()))),
            (tag_names.STATE, "running"),
        ):
            client.set_tag(summary_run, name, text)
    client.update_run(summary_run, status="RUNNING")
    return generation


def refuse_if_alive(
    client: MlflowClient,
    summary_run: str,
    say: Callable[[str], None],
    watch_seconds: float = WATCH_SECONDS,
) -> None:
    """As exact as a claim, for what must be known before one: takes `watch_seconds` at most.

    Raises:
        SearchIsAlive: it has an owner that lives.
    """
    tags = client.get_run(summary_run).data.tags
    known = _known_here(tags)
    if known:
        raise SearchIsAlive(_who(tags))
    if known is None:
        owner = tags.get(tag_names.OWNER)
        say(f"it was run by {owner}; watching for {watch_seconds:.0f} s whether it still is")
        _watch(client, summary_run, watch_seconds)


def newest_generation(storage: Path) -> int:
    """The highest generation that claimed this storage path; 0 if none did."""
    numbers = [
        int(match.group(1))
        for path in (storage.iterdir() if storage.is_dir() else ())
        if (match := re.fullmatch(r"generation-(\d+)", path.name))
    ]
    return max(numbers, default=0)


def _known_here(tags: Mapping[str, str]) -> bool | None:
    """Whether the owner lives, where that is certain without waiting; None if it is elsewhere."""
    owner = tags.get(tag_names.OWNER, "")
    if not owner or tags.get(tag_names.STATE) != "running":
        return False
    host, _, rest = owner.rpartition(":")[0].partition(":")
    started = owner.rpartition(":")[2]
    if host == socket.gethostname() and rest.isdigit():
        return _process_lives(int(rest), float(started))
    return None


def _watch(client: MlflowClient, summary_run: str, seconds: float) -> tuple[str, ...]:
    """The sign of life of an owner elsewhere, after it has not changed for so long.

    Raises:
        SearchIsAlive: it has changed.
    """
    deadline = time.monotonic() + seconds
    first: tuple[str, ...] = ()
    while True:
        tags = client.get_run(summary_run).data.tags
        first = first or _sign(tags)
        left = deadline - time.monotonic()
        if _known_here(tags) is not None:
            return _sign(tags)
        if _sign(tags) != first:
            raise SearchIsAlive(_who(tags))
        if left <= 0:
            return first
        time.sleep(min(LOOK_SECONDS, left))


def _sign(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        tags.get(name, "") for name in (tag_names.OWNER, tag_names.GENERATION, tag_names.HEARTBEAT)
    )


def _process_lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        # Process ids are used again: the start must agree too (clocks differ by a second).
        is_same = abs(process.create_time() - started) < 2.0
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _who(tags: Mapping[str, str]) -> str:
    owner, known = tags.get(tag_names.OWNER), _known_here(tags)
    return f"it is being run by {owner}" + ("" if known else ", whose heartbeat beats")
