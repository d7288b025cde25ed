from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from filelock import FileLock

from search.tracking import tag_names
from search.tracking.ownership import (
    HEARTBEAT_SECONDS,
    STALE_SECONDS,
    WATCH_SECONDS,
    SearchIsAlive,
    claim,
    is_alive,
    newest_generation,
    owner_name,
)
from search.tracking.store import LONGEST_PAUSE_SECONDS
from tests.support.stores import Store, new_store


def tags(owner: str, heartbeat: float, state: str = "running") -> dict[str, str]:
    return {tag_names.OWNER: owner, tag_names.HEARTBEAT: str(heartbeat), tag_names.STATE: state}


def test_this_process_is_alive_even_with_an_old_heartbeat() -> None:
    assert is_alive(tags(owner_name(), heartbeat=0))


def test_a_dead_process_of_this_machine_is_noticed_at_once() -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    owner = f"{socket.gethostname()}:{child.stdout.strip()}:{time.time():.0f}"
    assert not is_alive(tags(owner, heartbeat=time.time()))


def test_a_reused_process_id_is_not_the_owner() -> None:
    host, pid, started = owner_name().split(":")
    assert not is_alive(tags(f"{host}:{pid}:{int(started) - 1000}", heartbeat=time.time()))


def test_in_listings_the_age_of_a_heartbeat_of_another_machine_decides() -> None:
    now = time.time()
    assert is_alive(tags("other:1:1", now - STALE_SECONDS / 2))
    assert not is_alive(tags("other:1:1", now - STALE_SECONDS - 1))
    assert not is_alive(tags("other:1:1", now + 3600)), "a dead one whose clock was ahead"


@pytest.mark.parametrize("pid", ["\u00b2", "1" * 5_000, ""])
def test_of_an_owner_that_is_none_of_our_names_the_heartbeat_decides(pid: str) -> None:
    owner = f"{socket.gethostname()}:{pid}:yesterday"
    assert is_alive(tags(owner, heartbeat=time.time()))
    assert not is_alive(tags(owner, heartbeat=0))
    assert not is_alive(tags(owner, heartbeat=0) | {tag_names.HEARTBEAT: "just now"})


def test_a_finished_search_is_not_alive() -> None:
    assert not is_alive(tags(owner_name(), time.time(), state="complete"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ownership")


@pytest.mark.slow
@pytest.mark.parametrize("owner_lives", [True, False])
def test_simultaneous_claims_never_share_a_generation(folder: Path, owner_lives: bool) -> None:
    store = new_store(folder, f"demo-{owner_lives}")

    def try_to_claim(owner: str) -> int | str:
        try:
            return claim(store.client, store.summary_run, store.folder, owner)
        except SearchIsAlive:
            return "refused"

    owner = owner_name() if owner_lives else f"{socket.gethostname()}:999999999:1"
    outcomes = ThreadPool(8).map(try_to_claim, [owner] * 8)
    numbers = [outcome for outcome in outcomes if outcome != "refused"]
    # A dead owner is replaced by one claim after the other; a live one never.
    assert sorted(numbers) == ([1] if owner_lives else list(range(1, 9)))
    assert newest_generation(store.folder) == max(numbers)


def test_a_live_owner_keeps_its_search_and_is_named(folder: Path) -> None:
    store = new_store(folder, "demo-3")
    claim(store.client, store.summary_run, store.folder, owner_name())
    with pytest.raises(SearchIsAlive, match=socket.gethostname()):
        claim(store.client, store.summary_run, store.folder, "other:1:1")


def test_a_claim_that_another_process_never_finishes_is_refused_with_the_lock_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(folder, "demo-5")
    monkeypatch.setattr("search.tracking.ownership.CLAIM_LOCK_SECONDS", 0.1)
    with (
        FileLock(store.folder / "claim.lock"),
        pytest.raises(SearchIsAlive, match=r"has held .*claim\.lock .*; fix: "),
    ):
        claim(store.client, store.summary_run, store.folder, owner_name())
    assert claim(store.client, store.summary_run, store.folder, owner_name()) == 1


def test_a_claim_without_the_old_storage_still_raises_the_generation(
    folder: Path, tmp_path: Path
) -> None:
    store = new_store(folder, "demo-4")
    dead = f"{socket.gethostname()}:999999999:1"
    assert claim(store.client, store.summary_run, store.folder, dead) == 1
    assert claim(store.client, store.summary_run, tmp_path / "new", dead) == 2


def owned_elsewhere(store: Store, clock: float, beats: bool) -> threading.Event:
    """A search owned by another host with a wrong clock; setting the event ends its driver."""
    for name, text in (
        tags("other:1:1", time.time() + clock) | {tag_names.GENERATION: "1"}
    ).items():
        store.client.set_tag(store.summary_run, name, text)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.2):
            store.client.set_tag(store.summary_run, tag_names.HEARTBEAT, str(time.time() + clock))

    if beats:
        threading.Thread(target=beat, daemon=True).start()
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("clock", [-7200.0, 0.0, 7200.0])
def test_a_live_owner_on_another_machine_keeps_its_search_whatever_its_clock_says(
    tmp_path: Path, clock: float
) -> None:
    store = new_store(tmp_path, "demo-5")
    ended = owned_elsewhere(store, clock, beats=True)
    with pytest.raises(SearchIsAlive, match="other:1:1, whose heartbeat still changes"):
        claim(store.client, store.summary_run, store.folder, owner_name(), watch_seconds=20)
    ended.set()


@pytest.mark.slow
@pytest.mark.parametrize("clock", [-7200.0, 0.0, 7200.0])
def test_a_dead_owner_on_another_machine_is_replaced_after_watching_whatever_its_clock_said(
    tmp_path: Path, clock: float
) -> None:
    store = new_store(tmp_path, "demo-6")
    owned_elsewhere(store, clock, beats=False)
    began = time.monotonic()
    assert claim(store.client, store.summary_run, store.folder, owner_name(), 0.5) == 2
    assert time.monotonic() - began >= 0.5


@pytest.mark.slow
def test_one_of_two_claims_that_watch_a_dead_owner_succeeds(tmp_path: Path) -> None:
    store = new_store(tmp_path, "demo-7")
    owned_elsewhere(store, 0.0, beats=False)

    def try_to_claim(owner: str) -> int | str:
        try:
            return claim(store.client, store.summary_run, store.folder, owner, watch_seconds=1)
        except SearchIsAlive:
            return "refused"

    outcomes = ThreadPool(2).map(try_to_claim, ["left:1:1", "right:1:1"])
    assert sorted(outcomes, key=str) == [2, "refused"]


def test_a_search_that_ended_on_another_machine_is_claimed_without_watching(tmp_path: Path) -> None:
    store = new_store(tmp_path, "demo-8")
    owned_elsewhere(store, 0.0, beats=False)
    store.client.set_tag(store.summary_run, tag_names.STATE, "interrupted")
    began = time.monotonic()
    assert claim(store.client, store.summary_run, store.folder, owner_name()) == 2
    assert time.monotonic() - began < WATCH_SECONDS / 2


def test_a_claim_watches_longer_than_the_longest_pause_of_a_live_driver() -> None:
    assert WATCH_SECONDS > 2 * HEARTBEAT_SECONDS
    assert WATCH_SECONDS > HEARTBEAT_SECONDS + LONGEST_PAUSE_SECONDS
