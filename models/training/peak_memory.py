"""The peak memory of one trial within a worker process.

A worker runs one trial after the other, and neither torch's maximum nor the kernel's falls by
itself, so each trial resets them when it starts. On a GPU the peak is that of torch's allocations;
on the CPU that of the process's resident set, including loaded libraries (a few hundred MB).

Source: proc(5), /proc/PID/clear_refs: writing 5 sets VmHWM to the current resident set.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psutil
import torch

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak to the memory in use now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _is_resettable():
        _RESET.write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory since `reset_peak_memory`, in MiB.

    Where the kernel's peak cannot be reset (not Linux, or not permitted), it is the current
    resident set: call it at the end of an epoch, while its tensors still exist.
    """
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    if _is_resettable():
        line = next(row for row in _STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024  # in KiB
    return float(psutil.Process().memory_info().rss) / 2**20


@cache
def _is_resettable() -> bool:
    """Return whether the kernel lets this process reset its peak; constant on a machine."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return "VmHWM:" in _STATUS.read_text()
