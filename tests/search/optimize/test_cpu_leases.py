"""Searches on one machine share its cores."""

from __future__ import annotations

import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.optimize import cpu_leases
from search.optimize.cpu_leases import lease_cpus, lease_folder, machine_cpus

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_leases, "ASK_AGAIN_SECONDS", 0.01)


def take(folder: Path, wanted: int, total: int, patience: int = 3) -> tuple[list[Any], list[str]]:
    """Asks at most `patience` times; returns the leases and the messages."""
    said: list[str] = []
    asked = iter(range(patience))
    held = lease_cpus(
        wanted, say=said.append, folder=folder, total=total,
        must_stop=lambda: next(asked, None) is None,
    )  # fmt: skip
    return held, said


def cores(held: list[Any]) -> set[str]:
    return {Path(lock.lock_file).name for lock in held}


def test_two_takers_never_hold_the_same_core(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 2, total=4)
    second, _ = take(tmp_path, 2, total=4)
    assert cores(first) | cores(second) == {f"core-{core}.lock" for core in range(4)}
    assert not cores(first) & cores(second)


def test_free_cores_are_given_without_a_message(tmp_path: Path) -> None:
    held, said = take(tmp_path, 2, total=2)
    assert (len(held), said) == (2, [])


def test_a_search_that_waits_says_so_once(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=2)
    second, said = take(tmp_path, 2, total=2, patience=5)
    assert len(first) == 1 and second == []
    assert said == ["waiting for 2 of 2 cores: other searches on this machine hold them"]


def test_a_search_that_waits_holds_no_core(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=2)
    assert take(tmp_path, 2, total=2)[0] == []
    third, said = take(tmp_path, 1, total=2)
    assert (len(third), said) == (1, []) and cores(first) != cores(third)


def test_a_released_core_goes_to_a_search_that_waits(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=1)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        first[0].release()

    assert len(lease_cpus(1, say=say, folder=tmp_path, total=1)) == 1
    assert len(said) == 1


def test_more_than_the_machine_has_counts_as_all_of_it(tmp_path: Path) -> None:
    held, said = take(tmp_path, 64, total=3)
    assert (len(held), said) == (3, [])


def test_kill_9_gives_the_cores_back(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from search.optimize.cpu_leases import lease_cpus;"
        "held = lease_cpus(2, say=print, folder=Path(sys.argv[1]), total=2);"
        "print('held', len(held), flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held 2\n"
        assert take(tmp_path, 1, total=2)[0] == []
    finally:
        child.kill()
        child.wait()
    assert len(take(tmp_path, 2, total=2)[0]) == 2


def test_a_search_that_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    assert lease_cpus(1, say=print, folder=tmp_path, total=1, must_stop=lambda: True) == []


def test_the_machine_has_the_cores_that_this_process_may_use() -> None:
    counted = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout
    assert machine_cpus() == int(counted)


def test_a_user_without_a_name_has_a_folder_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nameless)
    assert lease_folder().name
