"""CPU leases: two searches on one machine share its cores instead of each believing in all.

A lease is a locked file, one a core, in a folder all searches of this user share; a lock goes with
its process, also under kill -9. For local searches only: on a cluster Ray knows every user.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

ASK_AGAIN_SECONDS = 1.0


def machine_cpus() -> int:
    """Cores that this process may use (a container or taskset may allow fewer than exist)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lease_folder() -> Path:
    """The folder of locks that all searches of this user on this machine share."""
    return Path(tempfile.gettempdir()) / f"twentieth-cpus-{os.getuid()}"


def lease_cpus(
    wanted: int,
    *,
    say: Callable[[str], None],
    folder: Path | None = None,
    total: int | None = None,
    must_stop: Callable[[], bool] = lambda: False,
) -> list[FileLock]:
    """Locks `wanted` cores, waiting until that many are free; the caller keeps the locks.

    All or nothing: two searches that each hold half would wait for ever.

    Args:
        wanted: cores; more than the machine has counts as all of them.
        say: told once if it has to wait.
        folder: where the locks lie.
        total: cores of the machine.
        must_stop: asked while waiting; True gives up with an empty list.
    """
    total = total or machine_cpus()
    folder = folder or lease_folder()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = min(wanted, total)
    has_waited = False
    while not must_stop():
        held = _try_to_lock(folder, wanted, total)
        if len(held) == wanted:
            return held
        for lock in held:
            lock.release()
        if not has_waited:
            say(f"waiting for {wanted} of {total} cores: other searches on this machine hold them")
            has_waited = True
        time.sleep(ASK_AGAIN_SECONDS)
    return []


def _try_to_lock(folder: Path, wanted: int, total: int) -> list[FileLock]:
    held: list[FileLock] = []
    for core in range(total):
        if len(held) == wanted:
            break
        lock = FileLock(folder / f"core-{core}.lock", blocking=False)
        try:
            lock.acquire()
            held.append(lock)
        except Timeout:
            continue
    return held
