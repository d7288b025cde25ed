"""Where trials find place: what Ray is asked for one, how many fit, how many may be proposed.

With `parallelism: auto` a search follows its cluster. Every proposal knows the trials that have
ended, so it is made late: no more trials than what is free now has room for wait for a worker, and
always one, for which Ray's autoscaler brings a node and which takes the next worker that is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from search.spec.parts import Resources

# Ray adds fractions up in ten-thousandths; floats do not add up exactly.
SMALLEST = 1e-4
# As Ray itself asks for a kind of GPU: the least that it counts, so any number of trials have it.
ACCELERATOR_SHARE = 0.001


class NoRoom(Exception):
    """No node holds a trial, and none can come. The message says what each lacks."""


def bundle(resources: Resources, has_whole_gpu: bool = False) -> dict[str, float]:
    """What one trial asks of Ray: resource -> amount, memory in bytes.

    Args:
        resources: The spec's.
        has_whole_gpu: Whether a trial with a share of a GPU gets all of it this time.
    """
    wanted = {"CPU": resources.cpus, "GPU": 1.0 if has_whole_gpu else resources.gpus}
    if resources.memory_gb:
        wanted["memory"] = int(resources.memory_gb * 2**30)
    if resources.accelerator:
        wanted[f"accelerator_type:{resources.accelerator}"] = ACCELERATOR_SHARE
    return {name: amount for name, amount in wanted.items() if amount}


def fitting(offered: Mapping[str, float], resources: Resources) -> int:
    """Trials at once on a node that offers resource -> amount, as Ray names them."""
    counts = [_floor(offered.get(name, 0) / each) for name, each in bundle(resources).items()]
    if 0 < resources.gpus < 1:  # a trial never spans two GPUs
        counts.append(int(offered.get("GPU", 0)) * _floor(1 / resources.gpus))
    return min(counts)


def lacking(offered: Mapping[str, float], resources: Resources) -> str:
    """What a node has too little of for one trial."""
    memory_gb = offered.get("memory", 0) / 2**30
    short = [
        f"it has {have:.3g} {unit}"
        for have, want, unit in (
            (offered.get("CPU", 0), resources.cpus, "CPUs"),
            (offered.get("GPU", 0), resources.gpus, "GPUs"),
            (memory_gb, resources.memory_gb or 0, "GB of memory"),
        )
        if have + SMALLEST < want
    ]
    prefix = "accelerator_type:"
    kinds = sorted(name.removeprefix(prefix) for name in offered if name.startswith(prefix))
    if resources.accelerator and resources.accelerator not in kinds:
        short.append(f"its GPUs are {', '.join(kinds)}" if kinds else "it has no known kind of GPU")
    return " and ".join(short)


def wanted(resources: Resources) -> str:
    """What one trial gets, in words."""
    words = f"{resources.cpus:g} CPUs, {resources.gpus:g} GPUs"
    words += f" of kind {resources.accelerator}" if resources.accelerator else ""
    return words + (f", {resources.memory_gb:g} GB" if resources.memory_gb else "")


def why_no_node(nodes: Mapping[str, Mapping[str, float]], resources: Resources) -> str:
    """What each node lacks if none holds a trial; "" if one does."""
    if any(fitting(offered, resources) for offered in nodes.values()):
        return ""
    reasons = [f"{node}: {lacking(offered, resources)}" for node, offered in nodes.items()]
    more = f"; and {len(reasons) - 4} more nodes" if len(reasons) > 4 else ""
    return f"no node holds a trial ({wanted(resources)}): {'; '.join(reasons[:4])}{more}"


def trials_at_once(resources: Resources, is_cluster: bool) -> Callable[[int], int]:
    """How many trials may be under way when so many of them have a worker.

    Args:
        resources: The spec's.
        is_cluster: Whether nodes and other searches may come and go. This machine's own Ray is
            asked for its size alone.
    """
    if resources.parallelism != "auto":
        fixed = resources.parallelism
        return lambda at_work: fixed
    import ray  # costs two seconds to import, and most of who knows of placement needs none

    if not is_cluster:
        return lambda at_work: max(1, fitting(ray.cluster_resources(), resources))
    return lambda at_work: at_work + max(1, fitting(ray.available_resources(), resources))


def _floor(number: float) -> int:
    return math.floor(number + SMALLEST)
