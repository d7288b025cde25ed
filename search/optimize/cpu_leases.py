"""CPU leases: searches on one machine share its cores instead of each taking all of them.

A lease is a locked file for each core, in a folder that all searches of this user share. A lock is
released when its process ends, also by kill -9. For local searches only: on a cluster Ray counts
the cores of all users.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

ASK_AGAIN_SECONDS = 1.0


def machine_cpus() -> int:
    """Returns the cores that this process may use; a container or taskset may allow fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lease_folder() -> Path:
    """Returns the folder of locks that all searches of this user on this machine share."""
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

    All or none: two searches that each hold half would wait for ever.

    Args:
        wanted: Number of cores; more than the machine has counts as all of them.
        say: Called once with a message if it has to wait.
        folder: Folder of the locks.
        total: Cores of the machine.
        must_stop: Called while waiting; True gives up with an empty list.
    """
    total = total or machine_cpus()
    folder = folder or lease_folder()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = min(wanted, total)
    has_waited = False
    while not must_stop():
        held: list[FileLock] = []
        for core in range(total):
            lock = FileLock(folder / f"core-{core}.lock", blocking=False)
            with contextlib.suppress(Timeout):
                lock.acquire()
                held.append(lock)
            if len(held) == wanted:
                return held
        for lock in held:
            lock.release()
        if not has_waited:
            say(f"waiting for {wanted} of {total} cores: other searches on this machine hold them")
            has_waited = True
        time.sleep(ASK_AGAIN_SECONDS)
    return []
