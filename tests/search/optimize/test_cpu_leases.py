"""Searches on one machine share its cores: first come, first served, and each says who it is."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from search.optimize import cpu_leases
from search.optimize.cpu_leases import lease_cpus, lease_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_leases, "ASK_AGAIN_SECONDS", 0.01)


def take(
    folder: Path,
    wanted: int,
    total: int,
    patience: int = 3,
    search: str = "hills-1",
    waits: bool = True,
) -> tuple[list[Any] | None, list[str]]:
    """Asks at most `patience` times; returns the leases and the messages."""
    said: list[str] = []
    asked = iter(range(patience))
    held = lease_cpus(
        wanted, search=search, say=said.append, waits=waits, folder=folder,
        cores=range(total), must_stop=lambda: next(asked, None) is None,
    )  # fmt: skip
    return held, said


def cores(held: list[Any] | None) -> set[str]:
    return {Path(lock.lock_file).name for lock in held or ()}


def test_two_takers_never_hold_the_same_core(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 2, total=4)
    second, _ = take(tmp_path, 2, total=4)
    assert cores(first) | cores(second) == {f"core-{core}.lock" for core in range(4)}
    assert not cores(first) & cores(second)


def test_a_search_that_waits_says_once_which_search_and_process_holds_the_cores_since_when(
    tmp_path: Path,
) -> None:
    first, _ = take(tmp_path, 1, total=2, search="digits-7")
    second, said = take(tmp_path, 2, total=2, patience=5)
    assert first and second is None
    user = re.escape(psutil.Process().username())
    assert len(said) == 1 and re.fullmatch(
        rf"waiting for 2 of 2 cores: digits-7 \(process {os.getpid()} of {user}, since "
        r"\d\d \w{3} \d\d:\d\d\) holds 1; --share-cores does not wait",
        said[0],
    )


def test_each_holder_is_named_and_those_who_wait_ahead_are_counted(tmp_path: Path) -> None:
    kept = [take(tmp_path, 1, total=2, search=name) for name in ("left-1", "right-1")]
    queue = cpu_leases._Queue(tmp_path, "earlier-1", range(2))
    with queue.ticket():
        said = take(tmp_path, 1, total=2)[1]
    assert said[0].count("holds 1") == 2 and "left-1" in said[0] and "right-1" in said[0]
    assert "; 1 search waits before this one; " in said[0]
    assert len(kept) == 2


def test_it_says_so_again_when_somebody_else_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_leases, "SAY_AGAIN_SECONDS", 0.0)
    held = [take(tmp_path, 1, total=1, search="left-1")[0]]
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:  # another one slips in, without waiting
            (held[0] or [])[0].release()
            held[0] = take(tmp_path, 1, total=1, search="right-1", waits=False)[0]
        else:
            (held[0] or [])[0].release()

    assert lease_cpus(1, search="hills-1", say=say, folder=tmp_path, cores=[0])
    assert "left-1" in said[0] and "right-1" in said[1]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"search": "x"}', None])
def test_a_holder_whose_note_cannot_be_read_is_an_unknown_process(
    tmp_path: Path, note: str | None
) -> None:
    first, _ = take(tmp_path, 1, total=1)
    path = tmp_path / "core-0.json"
    path.unlink() if note is None else path.write_text(note)
    assert first
    said = take(tmp_path, 1, total=1)[1]
    holds = "waiting for 1 of 1 core: an unknown process holds 1"
    assert said == [f"{holds}; --share-cores does not wait"]


def test_a_search_that_waits_holds_no_core(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=2)
    assert take(tmp_path, 2, total=2)[0] is None
    third, said = take(tmp_path, 1, total=2)
    assert (len(third or ()), said) == (1, []) and cores(first) != cores(third)


def test_a_released_core_goes_to_a_search_that_waits(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=1)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        (first or [])[0].release()

    held = lease_cpus(1, search="hills-1", say=say, folder=tmp_path, cores=[0])
    assert len(held or ()) == 1
    assert len(said) == 1


def test_a_search_that_wants_both_cores_does_not_starve_while_single_ones_come_and_go(
    tmp_path: Path,
) -> None:
    """Singles overlap, so that both cores are never free at once unless they queue up."""
    ended = threading.Event()
    served: list[str] = []

    def single(name: str) -> None:
        while not ended.is_set():
            held, _ = take(tmp_path, 1, total=2, patience=1000, search=name)
            served.append(name)
            time.sleep(0.02)
            for lock in held or ():
                lock.release()

    singles = [threading.Thread(target=single, args=(name,)) for name in ("a", "b", "c")]
    for each in singles:
        each.start()
    try:
        held, said = take(tmp_path, 2, total=2, patience=400)
        assert len(held or ()) == 2 and len(said) <= 1
        for lock in held or ():
            lock.release()
    finally:
        ended.set()
        for each in singles:
            each.join()
    assert {"a", "b"} <= set(served)


@pytest.mark.slow
def test_whoever_came_first_is_served_first(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=1)
    order: list[int] = []

    def wait(number: int) -> None:
        held, _ = take(tmp_path, 1, total=1, patience=10_000)
        order.append(number)
        (held or [])[0].release()

    waiting = []
    for number in range(4):
        waiting.append(threading.Thread(target=wait, args=(number,)))
        waiting[-1].start()
        while len(list(tmp_path.glob("ticket-*.lock"))) <= number:
            time.sleep(0.005)
    (first or [])[0].release()
    for each in waiting:
        each.join()
    assert order == [0, 1, 2, 3]
    assert not list(tmp_path.glob("ticket-*"))


def test_a_search_does_not_queue_behind_one_that_waits_for_other_cores(tmp_path: Path) -> None:
    ahead = cpu_leases._Queue(tmp_path, "ahead", [0, 1])
    with ahead.ticket():
        apart = lease_cpus(1, search="apart", say=print, folder=tmp_path, cores=[2, 3])
        assert cores(apart) == {"core-2.lock"}
        common, said = take(tmp_path, 1, total=2)
        assert not common and "1 search waits before this one" in said[0]


def test_a_search_that_shares_takes_what_is_free_and_does_not_wait(tmp_path: Path) -> None:
    first, _ = take(tmp_path, 1, total=2)
    second, said = take(tmp_path, 2, total=2, waits=False)
    assert (len(second or ()), said) == (1, [])
    third, said = take(tmp_path, 2, total=2, waits=False)
    assert first and (third, said) == ([], [])


def test_more_than_the_machine_has_counts_as_all_of_it(tmp_path: Path) -> None:
    held, said = take(tmp_path, 64, total=3)
    assert (len(held or ()), said) == (3, [])


def test_searches_that_are_bound_to_different_cores_do_not_wait_for_each_other(
    tmp_path: Path,
) -> None:
    """As by taskset, or in two jobs of SLURM on one node."""
    held = [
        lease_cpus(1, search="x", say=print, folder=tmp_path, cores=[core], must_stop=lambda: False)
        for core in (4, 7)
    ]
    assert [cores(each) for each in held] == [{"core-4.lock"}, {"core-7.lock"}]


def test_a_quota_limits_how_many_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_leases, "usable_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(cpu_leases, "machine_cpus", lambda: 2)
    assert len(lease_cpus(4, search="x", say=print, folder=tmp_path) or ()) == 2


@pytest.mark.slow
def test_kill_9_gives_the_cores_and_the_place_in_the_queue_back(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from search.optimize.cpu_leases import lease_cpus;"
        "folder = Path(sys.argv[1]);"
        "ask = lambda: lease_cpus(2, search='x', say=print, folder=folder, cores=[0, 1]);"
        "held = ask(); print('held', len(held), flush=True); ask()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held 2\n"
        while not list(tmp_path.glob("ticket-*.lock")):
            time.sleep(0.01)
        assert "1 search waits before this one" in take(tmp_path, 1, total=2)[1][0]
    finally:
        child.kill()
        child.wait()
    assert len(take(tmp_path, 2, total=2)[0] or ()) == 2


def test_a_search_that_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    assert take(tmp_path, 1, total=1, patience=0)[0] is None
    assert not list(tmp_path.glob("ticket-*"))


def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may make a folder of this name in /tmp, and a link to one of ours."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    held, said = take(link, 1, total=1)
    assert held == []
    assert said == [
        f"{link} is no folder of this user: cores are not shared with other searches; "
        "fix: remove it"
    ]
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert "is no folder of this user" in take(tmp_path, 1, total=1)[1][0]


def test_a_user_without_a_name_has_a_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nameless)
    assert lease_folder().name
    held, _ = take(tmp_path, 1, total=1)
    assert held and f"of {os.getuid()}, since" in take(tmp_path, 1, total=1)[1][0]
