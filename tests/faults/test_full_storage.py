"""A search whose storage is full for a while, with a real file system and real Ray.

What it took to recover is printed: `pytest -s`.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from search.tracking.write.journal import sent_offset
from tests.support.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    driver_of,
    fingerprints,
    finished,
    hills,
)
from tests.support.ray_nodes import begun_again
from tests.support.small_disks import fill, make_room, small_disk

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 6, 6
FULL_SECONDS = 20.0


@pytest.mark.long
def test_a_search_continues_after_its_storage_was_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path, kilobytes=50_000) as disk:
        (tmp_path / "store").mkdir()
        place = Place(disk, Place(tmp_path / "store").uri)
        spec = hills(budget={"trials": TRIALS, "epochs": EPOCHS})
        spec["task"]["settings"] = {"pause": 1.0}
        command = place.run(spec)
        search = place.search()
        storage = disk / "storage" / search
        place.wait_for(search, "end", 2)
        place.wait_for(search, "start", 4)
        before = fingerprints(place, search)
        under_way = numbers(place, search, "start") - numbers(place, search, "end")
        stood = full_for_a_while(storage, disk, command, under_way)
        wait_for_all(storage, stood)
        finished(command)
        assert_truthful(place, search, TRIALS, EPOCHS)
        assert begun_again(storage) >= 1, "the trial whose worker was killed began its epoch again"
        assert before.items() <= fingerprints(place, search).items(), "a finished trial ran again"
        starts = [event.fields["number"] for event in place.events(search) if event.name == "start"]
        assert sorted(starts) == list(range(TRIALS))
        lines = (storage / "journal.jsonl").read_text().splitlines()
        assert all(json.loads(line) for line in lines if line), "a cut line was left"
        assert sent_offset(storage) == (storage / "journal.jsonl").stat().st_size


def full_for_a_while(
    storage: Path, disk: Path, command: subprocess.Popen[str], under_way: set[int]
) -> dict[int, int]:
    """Fills the disk, kills a worker, and makes room again.

    Returns:
        Number of each running trial -> its newest checkpoint when there was room again.
    """
    reached = {number: checkpoint(storage, number) for number in under_way}
    fill(disk)
    began = time.monotonic()
    # A trial that loses its worker now must begin again on a full disk.
    one_that_trains(driver_of(command)).kill()
    while time.monotonic() - began < FULL_SECONDS:
        assert command.poll() is None, command.communicate()[0]
        time.sleep(1.0)
    stood = {number: checkpoint(storage, number) for number in under_way}
    # One may have been written between this check and the filling.
    assert all(stood[number] <= reached[number] + 1 for number in under_way), "it was not full"
    make_room(disk)
    return stood


def wait_for_all(storage: Path, stood: dict[int, int]) -> None:
    """Waits until each trial has a newer checkpoint; prints after how many seconds."""
    began, waits = time.monotonic(), set(stood)
    while waits:
        passed = time.monotonic() - began
        assert passed < PATIENCE_SECONDS, f"{waits} do not go on"
        for number in [each for each in waits if checkpoint(storage, each) > stood[each]]:
            print(f"trial {number} went on {passed:.1f} s after there was room")
            waits.remove(number)
        time.sleep(0.1)


def numbers(place: Place, search: str, name: str) -> set[int]:
    """Returns the trials that have an event of this name in the journal."""
    return {event.fields["number"] for event in place.events(search) if event.name == name}


def checkpoint(storage: Path, number: int) -> int:
    """Returns the newest epoch that a trial has a checkpoint of; 0 without one."""
    found = (storage / "checkpoints").glob(f"*{number:04d}/generation_1/epoch_*.json")
    return max((int(file.stem.partition("_")[2]) for file in found), default=0)


def one_that_trains(driver: psutil.Process) -> psutil.Process:
    """Returns a worker that is in an epoch at this moment."""
    while True:
        for process in driver.children(recursive=True):
            if re.match(r"ray::\w+\.train", " ".join(process.cmdline())):
                return process
