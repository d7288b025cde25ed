"""Resources: what a trial requests from Ray, how many trials fit, how many may be proposed.

With `parallelism: auto` a search follows the size of its cluster. Proposals use the trials that
have ended, so they are made late: the trials that wait for a worker are no more than fit into the
free resources, but always one, for which Ray's autoscaler adds a node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from search.history.plurals import counted
from search.spec.sections import Resources

# Ray adds fractions up in ten-thousandths; floats do not add up exactly.
SMALLEST = 1e-4
# As Ray itself asks for a kind of GPU: the least that it counts, so any number of trials have it.
ACCELERATOR_SHARE = 0.001


class NoRoom(Exception):
    """No node has room for a trial, and none can be added. The message says what each lacks."""


def bundle(resources: Resources, has_whole_gpu: bool = False) -> dict[str, float]:
    """Returns what one trial requests from Ray: resource -> amount, memory in bytes.

    Args:
        resources: The spec's resources.
        has_whole_gpu: Whether a trial with a share of a GPU gets all of it this time.
    """
    wanted = {"CPU": resources.cpus, "GPU": 1.0 if has_whole_gpu else resources.gpus}
    if resources.memory_gb:
        wanted["memory"] = int(resources.memory_gb * 2**30)
    if resources.accelerator:
        wanted[f"accelerator_type:{resources.accelerator}"] = ACCELERATOR_SHARE
    return {name: amount for name, amount in wanted.items() if amount}


def fitting(offered: Mapping[str, float], resources: Resources) -> int:
    """Returns how many trials fit on a node that offers resource -> amount, in Ray's names."""
    counts = [_floor(offered.get(name, 0) / each) for name, each in bundle(resources).items()]
    if 0 < resources.gpus < 1:  # a trial never spans two GPUs
        counts.append(int(offered.get("GPU", 0)) * _floor(1 / resources.gpus))
    return min(counts)


def lacking(offered: Mapping[str, float], resources: Resources) -> str:
    """Returns what a node has too little of for one trial, in words."""
    memory_gb = offered.get("memory", 0) / 2**30
    short = [
        f"it has {counted(float(f'{have:.3g}'), *unit)}"
        for have, want, unit in (
            (offered.get("CPU", 0), resources.cpus, ("CPU",)),
            (offered.get("GPU", 0), resources.gpus, ("GPU",)),
            (memory_gb, resources.memory_gb or 0, ("GB of memory", "GB of memory")),
        )
        if have + SMALLEST < want
    ]
    prefix = "accelerator_type:"
    kinds = sorted(name.removeprefix(prefix) for name in offered if name.startswith(prefix))
    if resources.accelerator and resources.accelerator not in kinds:
        short.append(f"its GPUs are {', '.join(kinds)}" if kinds else "it has no known kind of GPU")
    return " and ".join(short)


def wanted(resources: Resources) -> str:
    """Returns the resources of one trial, in words."""
    words = f"{counted(float(resources.cpus), 'CPU')}, {counted(float(resources.gpus), 'GPU')}"
    words += f" of kind {resources.accelerator}" if resources.accelerator else ""
    return words + (f", {resources.memory_gb:g} GB" if resources.memory_gb else "")


def why_no_node(nodes: Mapping[str, Mapping[str, float]], resources: Resources) -> str:
    """Returns what each node lacks if none has room for a trial; "" if one has."""
    if any(fitting(offered, resources) for offered in nodes.values()):
        return ""
    reasons = [f"{node}: {lacking(offered, resources)}" for node, offered in nodes.items()]
    count = len(reasons) - 4
    more = f"; and {counted(count, 'more node')}" if count > 0 else ""
    return f"no node holds a trial ({wanted(resources)}): {'; '.join(reasons[:4])}{more}"


def why_crowded(resources: Resources, cores: int) -> str:
    """Returns that trials side by side ask for more cores than a machine has; "" if they do not.

    Args:
        resources: The spec's resources.
        cores: Those that this machine gives to the search.
    """
    at_once = 1 if resources.parallelism == "auto" else resources.parallelism
    asked = at_once * resources.cpus
    if asked <= cores:
        return ""
    each = f"{counted(at_once, 'trial')} at once with {counted(float(resources.cpus), 'core')}"
    return (
        f"{each} on {counted(cores, 'core')}: trials share cores, and take longer and more memory"
    )


def trials_at_once(resources: Resources, is_cluster: bool) -> Callable[[int], int]:
    """Returns the limit of running trials as a function of how many of them have a worker.

    Args:
        resources: The spec's resources.
        is_cluster: Whether nodes and other searches may come and go. On this machine's own Ray
            only the total size counts.
    """
    if resources.parallelism != "auto":
        fixed = resources.parallelism
        return lambda at_work: fixed
    import ray  # takes two seconds to import; most importers of this module do not need it

    if not is_cluster:
        return lambda at_work: max(1, fitting(ray.cluster_resources(), resources))
    return lambda at_work: at_work + max(1, fitting(ray.available_resources(), resources))


def _floor(number: float) -> int:
    return math.floor(number + SMALLEST)
