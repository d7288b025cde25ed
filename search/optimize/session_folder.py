"""Session folder: a private temporary folder whose path is short enough for Ray's sockets.

The path of a Unix socket has at most 107 bytes on Linux, 103 on macOS (unix(7): `sun_path`). Ray
puts its sockets below its session folder, and so do Python's and torch's multiprocessing in trials.
TMPDIR may be longer: SLURM gives 61 bytes. It may also be missing, read-only or on a full disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
PREFIX = "tw-"
# What is added to the temporary folder: the name by mkdtemp, and then Ray's, with a process id of
# seven digits, the most that Linux gives.
OWN_BYTES = len(f"/{PREFIX}12345678")
RAY_BYTES = len("/session_2026-11-30_00-08-40_123456_1234567/sockets/plasma_store")
# How long the path of a temporary folder may be.
MOST_BYTES = SOCKET_PATH_BYTES - OWN_BYTES - RAY_BYTES
# Python: /pymp-12345678/listener-12345678; torch's shared memory manager takes as many.
MULTIPROCESSING_BYTES = 40
# The logs of Ray in a search of an hour have 10 MB; on less than this it does not start reliably.
ROOM_BYTES = 100 * 2**20
# Where a short folder is, if TMPDIR is none.
ELSEWHERE = ("/tmp", "/var/tmp")


class NoSessionFolder(ValueError):
    """No folder is there for Ray's sockets; the message says what is wrong with each."""


def new_session_folder() -> tuple[Path, str]:
    """Makes a folder that this user alone may enter, and whose name nobody can guess.

    Returns:
        The folder, and why it is not in TMPDIR; "" if it is.

    Raises:
        NoSessionFolder: neither TMPDIR nor another temporary folder can be used.
    """
    reasons: list[str] = []
    named = os.environ.get("TMPDIR")
    for place in dict.fromkeys([*filter(None, [named, _default()]), *ELSEWHERE]):
        problem = problem_of(place)
        if not problem:
            with contextlib.suppress(OSError):
                return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)), "; ".join(reasons)
            problem = f"{place} cannot be written"
        reasons.append(problem)
    raise NoSessionFolder(
        f"Ray needs a temporary folder for its sockets: {'; '.join(reasons)}; fix: set TMPDIR to a "
        f"folder that you may write, whose path has at most {MOST_BYTES} bytes"
    )


def require_session_folder() -> None:
    """Checks that Ray could start here, before anything of a search is stored.

    Raises:
        NoSessionFolder: it could not.
    """
    folder, _ = new_session_folder()
    folder.rmdir()


def problem_of(place: str) -> str:
    """Returns why Ray's session cannot lie in a temporary folder; "" if it can."""
    size = len(os.fsencode(os.path.abspath(place)))
    if not os.path.isdir(place):
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} cannot be written"
    if size > MOST_BYTES:
        return f"the path {place} has {size} bytes, and sockets leave room for {MOST_BYTES}"
    free = shutil.disk_usage(place).free
    if free < ROOM_BYTES:
        return f"{place} has {free / 2**20:.0f} MiB free, of {ROOM_BYTES / 2**20:.0f} needed"
    return ""


def temporary_folder_of_trials(session: Path) -> str | None:
    """Returns what TMPDIR must be in trials; None if it may stay as it is.

    Trials that start processes (a DataLoader does) have sockets there, too.

    Args:
        session: The session folder, which is short and ends with the search.
    """
    named = os.environ.get("TMPDIR")
    if named is None:
        return None
    is_short = len(os.fsencode(named)) + MULTIPROCESSING_BYTES <= SOCKET_PATH_BYTES
    is_usable = os.path.isdir(named) and os.access(named, os.W_OK | os.X_OK)
    return None if is_short and is_usable else str(session)


def _default() -> str | None:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # none of the usual folders can be written
        return None
