"""The name of the device that a trial trains on, by which speeds are compared."""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")


def device_name(device: str, amount: float) -> str:
    """Return the device and how much of it a trial has: "NVIDIA H200", "2 of AMD EPYC 7R13".

    Args:
        device: "cpu" or "cuda".
        amount: cores, or GPUs; 1 is left out.

    Returns:
        The name; "" of a GPU in a process without torch, where a user's function has no need of it.
    """
    name = _processor() if device == "cpu" else _gpu()
    return name if amount == 1 or not name else f"{amount:g} of {name}"


def _gpu() -> str:
    torch = sys.modules.get("torch")
    has_gpu = torch is not None and torch.cuda.is_available()
    return str(torch.cuda.get_device_name()) if torch is not None and has_gpu else ""


@cache
def _processor() -> str:
    """Return the model of the processor; where the kernel does not tell it, its architecture."""
    try:
        lines = _PROCESSORS.read_text(errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    found = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return " ".join(next(found, "").split()) or platform.machine()
