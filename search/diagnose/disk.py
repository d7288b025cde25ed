"""Whether there is room for checkpoints in storage, and for Ray's objects in temporary files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from search.diagnose.check import Check, failed, passed, warned
from search.diagnose.nodes import Nodes, problems

# Ray refuses to spill objects, and tasks fail, on a disk fuller than this (its
# local_fs_capacity_threshold).
FULL = 0.95
# Two checkpoints a trial: a CNN's are 1 MB each, a fine-tuned encoder's 0.5 to 1 GB with its
# optimizer. 5 GB hold the trials at work of a small search of either kind.
ROOM_BYTES = 5 * 10**9


def room(folder: str) -> tuple[int, int]:
    """Runs on a node: bytes free and bytes in all, of the nearest folder above that is there."""
    place = Path(folder or tempfile.gettempdir())
    while not place.exists() and place != place.parent:
        place = place.parent
    usage = shutil.disk_usage(place)
    return usage.free, usage.total


def check_disk(nodes: Nodes, results: Path | None) -> Iterator[Check]:
    """Free space in storage, if it was named, and in the temporary folder of every node."""
    places = [("disk of storage", str(results))] if results else []
    for name, folder in [*places, ("disk of temporary files", "")]:
        replies = nodes.ask(room, folder)
        if wrong := problems(replies):
            yield failed(name, wrong, "make that folder readable there")
            continue
        yield judge(name, {node: reply.value for node, reply in replies.items()})


def judge(name: str, rooms: dict[str, tuple[int, int]]) -> Check:
    """The check for the fullest disk of all."""
    node = min(rooms, key=lambda each: rooms[each][0])
    fullest = max(rooms, key=lambda each: 1 - rooms[each][0] / max(1, rooms[each][1]))
    free, total = rooms[fullest]
    mend = "delete old checkpoints and Ray sessions (/tmp/ray), or take a larger disk"
    if free < (1 - FULL) * total:
        found = f"{fullest}: {free / 1e9:.1f} of {total / 1e9:.0f} GB free; over {FULL:.0%} full"
        return failed(name, f"{found}, Ray refuses to store objects", mend)
    least = rooms[node][0]
    if least < ROOM_BYTES:
        return warned(name, f"{node}: only {least / 1e9:.1f} GB free", mend)
    return passed(name, f"at least {least / 1e9:.0f} GB free on each node")
