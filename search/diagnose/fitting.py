"""How many trials of a spec fit each node, and why none does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from search.diagnose.check import Check, failed, passed, warned
from search.spec.parts import Resources

# Ray adds fractions up in ten-thousandths; floats do not add up exactly.
SMALLEST = 1e-4


def check_fitting(
    nodes: Mapping[str, Mapping[str, float]], resources: Resources
) -> Iterator[Check]:
    """Whether any trial fits anywhere, and as many at once as the spec wants."""
    counts = {name: fitting(offered, resources) for name, offered in nodes.items()}
    total, name = sum(counts.values()), "trials that fit"
    wanted = f"{resources.cpus:g} CPUs, {resources.gpus:g} GPUs"
    wanted += f", {resources.memory_gb:g} GB" if resources.memory_gb else ""
    if not total:
        reasons = [f"{node}: {lacking(offered, resources)}" for node, offered in nodes.items()]
        more = f"; and {len(reasons) - 4} more nodes" if len(reasons) > 4 else ""
        found = f"no node holds a trial ({wanted}): {'; '.join(reasons[:4])}{more}"
        yield failed(name, found, "lower the spec's resources, or take larger nodes")
        return
    spread = ", ".join(f"{count} on {node}" for node, count in list(counts.items())[:6])
    found = f"{total} trials of {wanted} fit at once ({spread}{', ...' * (len(counts) > 6)})"
    if total < resources.parallelism:
        mend = f"set resources.parallelism to {total}, ask for less a trial, or add nodes"
        yield warned(name, f"{found}, the spec wants {resources.parallelism}", mend)
    else:
        yield passed(name, f"{found}, the spec wants {resources.parallelism}")


def fitting(offered: Mapping[str, float], resources: Resources) -> int:
    """Trials at once on a node that offers "CPU", "GPU" and "memory" in bytes."""
    counts = [_floor(offered.get("CPU", 0) / resources.cpus)]
    gpus = offered.get("GPU", 0)
    if 0 < resources.gpus < 1:  # shares of one: a trial never spans two GPUs
        counts.append(int(gpus) * _floor(1 / resources.gpus))
    elif resources.gpus:
        counts.append(_floor(gpus / resources.gpus))
    if resources.memory_gb:
        counts.append(_floor(offered.get("memory", 0) / (resources.memory_gb * 2**30)))
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
    return " and ".join(short)


def _floor(number: float) -> int:
    return math.floor(number + SMALLEST)
