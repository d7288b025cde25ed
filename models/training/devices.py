"""What torch can compute on: which CUDA devices it sees, and whether each one really works.

Run as `python -m models.training.devices`, in a process of its own: a broken driver may end it,
and a CUDA context holds GPU memory for as long as its process lives. Not for choosing a device to
train on.
"""

from __future__ import annotations

import json
from typing import Any

import torch

# Large enough to start a real kernel of the BLAS library, small enough for a busy GPU: 256 kB.
SIDE = 256


def devices() -> dict[str, Any]:
    """What torch sees, for JSON.

    Returns:
        "torch", the version; "cuda", which it was built for, None for a CPU build; "driver_works";
        "devices", one dict each: "name", "memory_gb" (all of it), "problem" ("" if it computes).
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
    """Multiplies two small matrices there; what is wrong with that, "" if nothing is."""
    try:
        ones = torch.ones(SIDE, SIDE, device=device)
        is_right = bool(((ones @ ones) == SIDE).all().item())
    except (RuntimeError, AssertionError) as error:  # a build without CUDA asserts
        return str(error).strip().splitlines()[0]
    return "" if is_right else "a product of matrices came out wrong"


if __name__ == "__main__":
    print(json.dumps(devices()))
