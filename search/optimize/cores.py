"""Cores and memory of this machine that this process may use: by affinity, and by its container.

`taskset` and SLURM set an affinity; `docker --cpus`, Kubernetes and systemd set a quota of CPU time
and a limit of memory in the control group (cgroup v1 or v2), which no count of cores shows.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cpuacct.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def usable_cores() -> list[int]:
    """Returns the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # macOS has no affinity


def machine_cpus(root: Path = ROOT, own: Path = OWN) -> int:
    """Returns how many cores this process may keep busy; with a quota of 1.5 cores it is one.

    Args:
        root: Where the control groups are mounted.
        own: The file with those of this process.
    """
    quotas = [_quota(folder) for folder in _groups(root, own, "cpu")]
    known = [max(1, int(quota)) for quota in quotas if quota is not None]
    return min([len(usable_cores()), *known])


def machine_memory(root: Path = ROOT, own: Path = OWN) -> int:
    """Returns the memory that this process may use, in bytes; arguments as of `machine_cpus`."""
    limits = [
        _number(folder / name)
        for folder in _groups(root, own, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    installed: int = psutil.virtual_memory().total
    return min([installed, *(limit for limit in limits if limit is not None)])


def _groups(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of this process's control groups: its own and all above it.

    A container sees its own group as the root, whatever path the file names.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue  # of another controller of version 1; version 2 has one line, without names
        top = root / controllers if controllers and (root / controllers).is_dir() else root
        if controllers and top == root:
            top = root / controller
        group = top / path.strip("/")
        while True:
            yield group
            if group == top:
                break
            group = group.parent


def _quota(folder: Path) -> float | None:
    """Returns the CPU time that a group may use in a second; None without a limit."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    quota_us = _number(folder / "cpu.cfs_quota_us")
    period_us = _number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us else None


def _number(file: Path) -> int | None:
    """Returns a positive number from a file; None if it has none ("max" and -1 mean no limit)."""
    try:
        found = int(file.read_text())
    except (OSError, ValueError):
        return None
    return found if found > 0 else None
