"""Whether the machines have room for the trials of a spec: places, GPUs that compute, disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.cluster.check import Check, failed, passed, warned
from search.cluster.nodes import Nodes, Reply, problems
from search.optimize.resources import fitting, wanted, why_no_node
from search.spec.parts import Resources


def check_fitting(
    nodes: Mapping[str, Mapping[str, float]],
    resources: Resources,
    to_come: Mapping[str, Mapping[str, float]] | None = None,
) -> Iterator[Check]:
    """Whether any trial fits anywhere, and as many at once as the spec wants.

    Args:
        nodes: Node -> what it offers.
        resources: The spec's.
        to_come: Kind of node that the autoscaler may bring -> what one offers.
    """
    name, problem = "trials that fit", why_no_node(nodes, resources)
    later = {kind: fitting(offered, resources) for kind, offered in (to_come or {}).items()}
    if problem and any(later.values()):
        kinds = ", ".join(f"{count} on each {kind}" for kind, count in later.items() if count)
        found = f"none of {wanted(resources)} on the nodes that are up; the autoscaler brings more"
        yield passed(name, f"{found}: {kinds}")
        return
    if problem:
        yield failed(name, problem, "lower the spec's resources, or take larger nodes")
        return
    counts = {node: fitting(offered, resources) for node, offered in nodes.items()}
    total, parallelism = sum(counts.values()), resources.parallelism
    spread = ", ".join(f"{count} on {node}" for node, count in list(counts.items())[:6])
    found = f"{total} trials of {wanted(resources)} fit at once"
    found += f" ({spread}{', ...' * (len(counts) > 6)})"
    if parallelism == "auto":
        yield passed(name, f"{found}, and the search takes what there is (parallelism: auto)")
    elif total < parallelism:
        fix = f"set resources.parallelism to {total}, ask for less a trial, or add nodes"
        yield warned(name, f"{found}, the spec wants {parallelism}", fix)
    else:
        yield passed(name, f"{found}, the spec wants {parallelism}")


# Importing torch takes up to 20 s on a busy machine, the first CUDA context of a node as long.
GPU_SECONDS = 90.0


def devices_of_node() -> dict[str, Any]:
    """Runs on a node: what `models.training.devices` says, in a process of its own.

    Ray leaves all GPUs visible to a task that asks for none.

    Raises:
        RuntimeError: torch could not be imported, or CUDA ended the process.
    """
    done = subprocess.run(
        [sys.executable, "-m", "models.training.devices"], capture_output=True, text=True,
        timeout=GPU_SECONDS, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"torch ended with {done.returncode}: {last[:200]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def check_gpus(nodes: Nodes, replies: Mapping[str, Reply]) -> Iterator[Check]:
    """Whether CUDA works wherever Ray offers GPUs (without Ray: here). For specs that want them."""
    reinstall = "install the build of torch for this driver (nvidia-smi names the newest CUDA)"
    if wrong := problems(replies):
        yield failed("GPUs", wrong, reinstall)
        return
    broken: list[str] = []
    seen = 0
    for name, reply in replies.items():
        found = reply.value["devices"]
        broken += [
            f"{name}, {each['name']}: {each['problem']}" for each in found if each["problem"]
        ]
        offered = int(nodes.resources[name].get("GPU", 0))
        seen += len(found)
        if offered > len(found):
            why = "a build without CUDA" if reply.value["cuda"] is None else "no working driver"
            broken.append(f"{name}: Ray offers {offered} GPUs, torch sees {len(found)} ({why})")
    if broken:
        yield failed("GPUs", "; ".join(broken[:4]), reinstall)
    elif not seen:
        fix = "use machines with GPUs, or set resources.gpus to 0 in the spec"
        yield failed("GPUs", "the spec asks for GPUs, and no node has one that torch sees", fix)
    else:
        yield passed("GPUs", f"CUDA computes on {seen} GPUs")


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
        yield judge_disk(name, {node: reply.value for node, reply in replies.items()})


def judge_disk(name: str, rooms: dict[str, tuple[int, int]]) -> Check:
    """The check for the fullest disk of all."""
    node = min(rooms, key=lambda each: rooms[each][0])
    fullest = max(rooms, key=lambda each: 1 - rooms[each][0] / max(1, rooms[each][1]))
    free, total = rooms[fullest]
    fix = "delete old checkpoints and Ray sessions (/tmp/ray), or take a larger disk"
    if free < (1 - FULL) * total:
        found = f"{fullest}: {free / 1e9:.1f} of {total / 1e9:.0f} GB free; over {FULL:.0%} full"
        return failed(name, f"{found}, Ray refuses to store objects", fix)
    least = rooms[node][0]
    if least < ROOM_BYTES:
        return warned(name, f"{node}: only {least / 1e9:.1f} GB free", fix)
    return passed(name, f"at least {least / 1e9:.0f} GB free on each node")
