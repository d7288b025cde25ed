"""The most memory that was in use since it was last reset: a figure of one trial, not of a process.

A worker takes on one trial after the other and neither torch's maximum nor the kernel's ever falls
by itself, so each trial resets them when it starts. On a GPU it is what torch has allocated there;
on the CPU the process's resident set, with the libraries it has loaded (a few hundred MB).

Source: proc(5), /proc/PID/clear_refs: writing 5 sets VmHWM to the resident set of the moment.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psutil
import torch

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak_memory(device: torch.device) -> None:
    """Begin to count again from what is in use now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _is_resettable():
        _RESET.write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    """The most memory in use since `reset_peak_memory`, in MiB.

    Where the kernel's mark cannot be reset (not Linux, or not permitted), it is what is resident
    right now: ask at the end of an epoch, while its tensors are still there.
    """
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    if _is_resettable():
        line = next(row for row in _STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024  # the file counts in KiB
    return float(psutil.Process().memory_info().rss) / 2**20


@cache
def _is_resettable() -> bool:
    """Whether the kernel lets this process reset its mark; a property of the machine."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return "VmHWM:" in _STATUS.read_text()
