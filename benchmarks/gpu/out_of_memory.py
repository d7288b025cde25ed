"""Out of memory on purpose: what a failed trial records of it, and that the next one can train.

A search retries a trial whose failure it recognises by the error's type and text
(`search/optimize/trainable.py`), which needs Ray: `tests/benchmarks/gpu/test_parts.py` gives it
what is recorded here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.gpu.made_up_data import CIFAR, image_splits
from benchmarks.gpu.part import Findings, Setting, Table
from benchmarks.gpu.training_under_attack import EPSILON, configuration
from models.adversarial.threat_model import Threat
from models.training.network import network_training
from models.training.peak_memory import peak_memory_mb, reset_peak_memory

# More than any machine has, but an allowed size of a tensor.
_TOO_MUCH = 2**50
# Left free on the GPU for a training that needs twice as much.
_FREE_MIB = 256


def run(setting: Setting) -> Findings:
    """Ask for too much at once, train on a GPU that is nearly full, and train again."""
    device = torch.device(setting.device)
    reset_peak_memory(device)

    def allocate() -> Tensor:
        return torch.empty(_TOO_MUCH, device=device, dtype=torch.uint8)

    rows = [["one tensor of 1 PiB", *_recorded(allocate)]]
    left_out = []
    if setting.device == "cuda":
        ballast = _fill(device)
        rows.append(["a training on a GPU with 256 MiB left", *_recorded(lambda: _train(setting))])
        del ballast
        torch.cuda.empty_cache()
    else:
        reason = "the machine's memory would have to be filled"
        left_out.append(("a training on a device that is nearly full", reason))
    loss = _train(setting)
    claims = [
        ("every attempt failed with an error", all(row[1] for row in rows)),
        ("a training after it works", math.isfinite(loss)),
    ]
    header = ["what", "error", "its first line"]
    note = f"Peak memory recorded afterwards: {peak_memory_mb(device):.0f} MiB."
    return Findings([Table("Errors", header, rows, note)], left_out, claims)


def _recorded(work: Callable[[], object]) -> tuple[str, str]:
    """Return type and first line of the error that a call ends with; empty without one."""
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        # No bar: it would end the table's cell.
        line = str(error).strip().partition("\n")[0].replace("|", "/")
        return type(error).__name__, line[:200]
    return "", ""


def _fill(device: torch.device) -> Tensor:
    """Allocate all of the GPU's memory but 256 MiB, as another process might."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return torch.empty(free - _FREE_MIB * 2**20, device=device, dtype=torch.uint8)


def _train(setting: Setting) -> float:
    """Train one epoch, and return its loss."""
    data = image_splits(setting.sized(2048, 64), setting.sized(CIFAR, (3, 8, 8)))
    threat = Threat(epsilon=EPSILON, steps=2, cheap_steps=1, examples=16, cheap_examples=8)
    training = network_training(
        configuration("none", setting), data, epochs=1, seed=0, threat=threat, device=setting.device
    )
    (last,) = training.run()
    return last["loss.train"]
