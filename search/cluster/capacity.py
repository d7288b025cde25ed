"""Check whether the machines have room for the trials of a spec: cores, GPUs that work, disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.cluster.check import Check, failed, failed_if, passed, warned
from search.cluster.nodes import Nodes, Reply, problems
from search.history.plurals import counted
from search.optimize.resources import fitting, wanted, why_no_node
from search.optimize.session_folder import MOST_BYTES, NoSessionFolder, new_session_folder
from search.spec.sections import Resources


def check_fitting(
    nodes: Mapping[str, Mapping[str, float]],
    resources: Resources,
    node_types: Mapping[str, Mapping[str, float]] | None = None,
) -> Check:
    """Check that a trial fits some node, and that as many fit at once as the spec wants.

    Args:
        nodes: Node -> what it offers.
        resources: The spec's.
        node_types: Type of node that the autoscaler may add -> what one offers.
    """
    name = "trials that fit"
    if problem := why_no_node(nodes, resources):
        later = {each: fitting(offered, resources) for each, offered in (node_types or {}).items()}
        added = ", ".join(f"{count} on each {each}" for each, count in later.items() if count)
        if not added:
            return failed(name, problem, "lower the spec's resources, or take larger nodes")
        found = f"no node that is up holds a trial ({wanted(resources)})"
        return passed(name, f"{found}; on the nodes that the autoscaler adds: {added}")
    counts = {node: fitting(offered, resources) for node, offered in nodes.items()}
    total, parallelism = sum(counts.values()), resources.parallelism
    spread = ", ".join(f"{count} on {node}" for node, count in list(counts.items())[:6])
    found = f"room for {counted(total, 'trial')} of {wanted(resources)} at once"
    found += f" ({spread}{', ...' * (len(counts) > 6)})"
    if parallelism == "auto":
        return passed(name, f"{found}, and the search takes what there is (parallelism: auto)")
    found += f", the spec wants {parallelism}"
    if total < parallelism:
        fix = f"set resources.parallelism to {total}, ask for less a trial, or add nodes"
        return warned(name, found, fix)
    return passed(name, found)


# Importing torch takes up to 20 s on a busy machine, the first CUDA context of a node as long.
GPU_SECONDS = 90.0


def devices_of_node() -> dict[str, Any]:
    """Return what `models.training.devices` reports of this node, from a process of its own.

    Ray leaves all GPUs visible to a task that asks for none.

    Raises:
        RuntimeError: torch could not be imported, or CUDA ended the process.
    """
    done = subprocess.run(
        [sys.executable, "-m", "models.training.devices"], capture_output=True, text=True,
        timeout=GPU_SECONDS, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise RuntimeError(f"torch ended with {done.returncode}: {last[:200]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def check_gpus(nodes: Nodes, replies: Mapping[str, Reply]) -> Check:
    """Check that CUDA works wherever Ray offers GPUs (without Ray: on this machine).

    Args:
        nodes: Nodes for a spec that wants GPUs.
        replies: Node -> what `devices_of_node` returned there.
    """
    reinstall = "install the build of torch for this driver (nvidia-smi names the newest CUDA)"
    if wrong := problems(replies):
        return failed("GPUs", wrong, reinstall)
    broken: list[str] = []
    for node, reply in replies.items():
        devices = reply.value["devices"]
        broken += [
            f"{node}, {each['name']}: {each['problem']}" for each in devices if each["problem"]
        ]
        offered = int(nodes.resources[node].get("GPU", 0))
        if offered > len(devices):
            why = "a build without CUDA" if reply.value["cuda"] is None else "no working driver"
            ours = f"Ray offers {counted(offered, 'GPU')}, torch sees {len(devices)} ({why})"
            broken.append(f"{node}: {ours}")
    seen = sum(len(reply.value["devices"]) for reply in replies.values())
    if not seen and not broken:
        found = "the spec asks for GPUs, and torch sees none on any node"
        fix = "use machines with GPUs, or set resources.gpus to 0 in the spec"
        return failed("GPUs", found, fix)
    works = f"CUDA works on {counted(seen, 'GPU')}"
    return failed_if("GPUs", "; ".join(broken[:4]), reinstall, works)


# Ray refuses to spill objects, and tasks fail, on a disk fuller than this (its
# local_fs_capacity_threshold).
FULL = 0.95
# Two checkpoints a trial: a CNN's are 1 MB each, a fine-tuned encoder's 0.5 to 1 GB with its
# optimizer. 5 GB hold the running trials of a small search of either kind.
ROOM_BYTES = 5 * 10**9


def room(folder: str) -> tuple[int, int]:
    """Return bytes free and bytes in all, on a node, of the nearest existing folder upwards.

    Args:
        folder: Need not exist; empty: the node's temporary folder.
    """
    place = Path(folder or tempfile.gettempdir())
    usage = shutil.disk_usage(next(each for each in (place, *place.parents) if each.exists()))
    return usage.free, usage.total


def check_disk(nodes: Nodes, results: Path | None) -> Iterator[Check]:
    """Check free space in storage, if it was named, and in every node's temporary folder."""
    places = [("disk of storage", str(results))] if results else []
    for name, folder in [*places, ("disk of temporary files", "")]:
        replies = nodes.ask(room, folder)
        if wrong := problems(replies):
            yield failed(name, wrong, "make that folder readable there")
        else:
            yield disk_check(name, {node: reply.value for node, reply in replies.items()})


def disk_check(name: str, rooms: Mapping[str, tuple[int, int]]) -> Check:
    """Return the check of the fullest disk; `rooms` is node -> bytes free, bytes in all."""
    fix = "delete old checkpoints and Ray sessions (/tmp/ray), or take a larger disk"
    fullest = max(rooms, key=lambda node: 1 - rooms[node][0] / max(1, rooms[node][1]))
    free, total = rooms[fullest]
    if free < (1 - FULL) * total:
        found = f"{fullest}: {free / 1e9:.1f} of {total / 1e9:.0f} GB free; over {FULL:.0%} full"
        return failed(name, f"{found}, Ray refuses to store objects", fix)
    least, node = min((free, node) for node, (free, _) in rooms.items())
    if least < ROOM_BYTES:
        return warned(name, f"{node}: only {least / 1e9:.1f} GB free", fix)
    return passed(name, f"at least {least / 1e9:.0f} GB free on each node")


def check_session_folder() -> Iterator[Check]:
    """Check that a Ray of this machine's own finds a place for its sockets."""
    name = "temporary folder"
    try:
        folder, elsewhere = new_session_folder()
    except NoSessionFolder as error:
        found, _, fix = str(error).partition("; fix: ")
        yield failed(name, found, fix)
        return
    folder.rmdir()
    if elsewhere:
        yield warned(
            name, f"{elsewhere}: Ray's files go to {folder.parent}",
            f"set TMPDIR to a folder of at most {MOST_BYTES} bytes, if {folder.parent} is small",
        )  # fmt: skip
    else:
        yield passed(name, f"{folder.parent} is short enough for Ray's sockets")
