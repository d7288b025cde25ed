"""A short and private folder for Ray's sockets, whatever TMPDIR is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from multiprocessing.connection import Listener
from pathlib import Path

import pytest

from search.cluster.capacity import check_session_folder
from search.optimize import session_folder
from search.optimize.session_folder import (
    MOST_BYTES,
    NoSessionFolder,
    new_session_folder,
    require_session_folder,
    temporary_folder_of_trials,
)

# What Ray makes of a session folder, with the longest process id.
RAYS = "session_2026-11-30_00-08-40_123456_4194304/sockets/plasma_store"


@pytest.fixture
def short() -> object:
    folder = tempfile.mkdtemp(prefix="s-", dir="/tmp")
    yield Path(folder)
    shutil.rmtree(folder)


def set_tmpdir(monkeypatch: pytest.MonkeyPatch, folder: Path | str) -> None:
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is remembered


def sized(folder: Path, size: int) -> Path:
    """Makes a folder whose path has `size` bytes."""
    made = folder / ("x" * (size - len(str(folder)) - 1))
    made.mkdir()
    return made


def made() -> tuple[Path, str]:
    folder, elsewhere = new_session_folder()
    folder.rmdir()
    return folder, elsewhere


def test_a_short_tmpdir_is_used(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    set_tmpdir(monkeypatch, short)
    folder, elsewhere = made()
    assert (folder.parent, elsewhere) == (short, "")


def test_the_longest_path_that_is_used_still_takes_a_socket(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    place = sized(short, MOST_BYTES)
    set_tmpdir(monkeypatch, place)
    folder, elsewhere = new_session_folder()
    assert (folder.parent, elsewhere) == (place, "")
    (folder / RAYS).parent.mkdir(parents=True)
    Listener(str(folder / RAYS)).close()
    with pytest.raises(OSError, match="too long"):
        Listener(str(folder / f"{RAYS}1"))


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 61, 90, 200])
def test_next_to_a_long_tmpdir_a_short_folder_is_made(
    monkeypatch: pytest.MonkeyPatch, short: Path, size: int
) -> None:
    """SLURM gives 61 bytes."""
    place = sized(short, size)
    set_tmpdir(monkeypatch, place)
    folder, elsewhere = made()
    assert folder.parent == Path("/tmp")
    assert elsewhere == f"the path {place} has {size} bytes, and sockets leave room for 31"


def test_bytes_count_and_not_characters(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    place = short / "ümläute-ümläute"  # 26 characters, over 31 bytes
    place.mkdir()
    set_tmpdir(monkeypatch, place)
    assert made()[0].parent == Path("/tmp")


def test_the_folder_is_this_users_alone_and_cannot_be_guessed() -> None:
    folders = [new_session_folder()[0] for _ in range(2)]
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == os.getuid()
        folder.rmdir()
    assert folders[0] != folders[1]


def test_a_tmpdir_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    set_tmpdir(monkeypatch, short / "gone")
    folder, elsewhere = made()
    assert elsewhere == f"{short}/gone is no folder" and folder.parent == Path("/tmp")


def test_a_tmpdir_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    set_tmpdir(monkeypatch, short)
    monkeypatch.setattr(os, "access", lambda place, mode: str(place) != str(short))
    assert made()[1] == f"{short} cannot be written"


def test_a_tmpdir_on_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    set_tmpdir(monkeypatch, short)
    usage = shutil.disk_usage(short)
    full = usage._replace(free=3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda at: full if at == str(short) else usage)
    assert made()[1] == f"{short} has 3 MiB free, of 100 needed"


def test_without_any_place_the_error_names_each_and_the_variable(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    place = sized(short, 61)
    set_tmpdir(monkeypatch, place)
    monkeypatch.setattr(session_folder, "ELSEWHERE", (str(short / "gone"),))
    with pytest.raises(NoSessionFolder) as raised:
        require_session_folder()
    said = str(raised.value)
    assert f"{place} has 61 bytes" in said and f"{short}/gone is no folder" in said
    assert "fix: set TMPDIR to a folder that you may write, whose path has at most 31" in said


def test_trials_keep_a_tmpdir_that_is_short_enough_for_their_own_sockets(
    monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    session = short / "tw-1"
    set_tmpdir(monkeypatch, sized(short, 61))
    assert temporary_folder_of_trials(session) is None
    set_tmpdir(monkeypatch, sized(short, 80))
    assert temporary_folder_of_trials(session) == str(session)
    set_tmpdir(monkeypatch, short / "gone")
    assert temporary_folder_of_trials(session) == str(session)
    monkeypatch.delenv("TMPDIR")
    assert temporary_folder_of_trials(session) is None


@pytest.mark.slow
def test_the_longest_tmpdir_that_trials_keep_takes_the_sockets_of_multiprocessing(
    short: Path,
) -> None:
    place = sized(short, 107 - session_folder.MULTIPROCESSING_BYTES)
    code = "from multiprocessing.connection import Listener; print(Listener(None, 'AF_UNIX'))"
    environment = os.environ | {"TMPDIR": str(place)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


def test_doctor_says_where_ray_would_be(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    def status() -> tuple[str, str, str]:
        (check,) = check_session_folder()
        return check.status, check.found, check.fix

    set_tmpdir(monkeypatch, short)
    assert status()[:2] == ("pass", f"{short} is short enough for Ray's sockets")
    set_tmpdir(monkeypatch, sized(short, 61))
    kind, found, fix = status()
    assert kind == "warning" and "has 61 bytes" in found and "Ray's files go to /tmp" in found
    assert "set TMPDIR to a folder of at most 31 bytes" in fix
    monkeypatch.setattr(session_folder, "ELSEWHERE", ())
    kind, found, fix = status()
    assert kind == "fail" and "has 61 bytes" in found and fix.startswith("set TMPDIR")
