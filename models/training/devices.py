"""The CUDA devices that torch sees, and whether each one works.

Run as `python -m models.training.devices`, in a process of its own: a broken driver may kill it,
and a CUDA context holds GPU memory until its process ends. Not for choosing a device to train on.
"""

from __future__ import annotations

import json
from typing import Any

import torch

# Large enough for a real BLAS kernel, small enough for a busy GPU: 256 kB.
SIDE = 256


def devices() -> dict[str, Any]:
    """Describe torch and its devices, for JSON.

    Returns:
        "torch", its version; "cuda", the version it was built for, None for a CPU build;
        "driver_works"; "devices", a dict each: "name", "memory_gb" (total), "problem" ("" if none).
    """
    found = []
    works = torch.cuda.is_available()
    for index in range(torch.cuda.device_count() if works else 0):
        properties = torch.cuda.get_device_properties(index)
        memory_gb = round(properties.total_memory / 2**30, 1)
        problem = computes(torch.device("cuda", index))
        found.append({"name": properties.name, "memory_gb": memory_gb, "problem": problem})
    return {
        "torch": torch.__version__, "cuda": torch.version.cuda, "driver_works": works,
        "devices": found,
    }  # fmt: skip


def computes(device: torch.device) -> str:
    """Multiply two small matrices on a device, and return the problem, "" if there is none."""
    try:
        ones = torch.ones(SIDE, SIDE, device=device)
        is_right = bool(((ones @ ones) == SIDE).all().item())
    except (RuntimeError, AssertionError) as error:  # a build without CUDA asserts
        return (str(error).strip() or repr(error)).splitlines()[0]
    return "" if is_right else "a product of matrices is wrong"


if __name__ == "__main__":
    print(json.dumps(devices()))
