"""The costs of a model: its parameters, its size on disk, and its speed on the device it is on.

Speed is the median of repeated passes after warm-up, in eval mode and without gradients, with as
many threads as torch has at the time (in a trial `resources.cpus`). On CUDA the clock is read after
the device has finished. Not for the costs of a training: the FLOP of its passes (`work.py`), peak
memory (`peak_memory.py`), seconds (`search/optimize/trainable.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.checks.preserve_state import preserve_state
from models.scores.cost_names import (
    DISK,
    EXAMPLE_WORK,
    LATENCY,
    LATENCY_SPREAD,
    PARAMETERS,
    THROUGHPUT,
    TRAINABLE,
)
from models.training.work import forward_flop

# Images (batch, channels, height, width), or what a model takes by keyword, such as `input_ids`.
Inputs: TypeAlias = Tensor | Mapping[str, Tensor]

# Examples of the batch behind the throughput: as many texts as are evaluated at once.
BATCH = 64
# Passes before the clock counts: the first ones allocate, choose kernels and fill caches.
_WARM_UP = 3
# Passes behind a median: below 5 it is hardly one; more than 200 change its digits no more.
_FEWEST, _MOST = 5, 200
# Enough for 200 passes of a small network; a large one has its 5.
_SECONDS = 0.3
_MB = 1e6


@dataclass(frozen=True)
class Speed:
    """The duration of one pass.

    Attributes:
        seconds: Median.
        spread: Interquartile range over the median, 0 or more: how noisy the machine was.
    """

    seconds: float
    spread: float


def model_costs(model: nn.Module, inputs: Inputs, one: Inputs | None = None) -> dict[str, float]:
    """Return the costs of a model as metrics, all but times equal on every machine.

    The model is left unchanged; its mode, buffers and torch's random state are restored.

    Args:
        model: on the device to measure on; called as `model(inputs)`, or `model(**inputs)`.
        inputs: the batch behind the throughput, on the device; `BATCH` examples are used in trials.
        one: the one example behind latency and `work.example`; the first of `inputs` if not given.

    Returns:
        `parameters.total`, `parameters.trainable`; `disk.model_mb` (10^6 bytes); `work.example`
        (FLOP of a forward pass); `latency.ms`, `latency.spread`; `throughput.per_second`.

    Raises:
        TypeError: the model is no torch module.
        ValueError: there is no example.
    """
    if not isinstance(model, nn.Module):
        found = type(model).__name__
        raise TypeError(f"the model to measure is a {found}; fix: give a torch.nn.Module")
    size = examples_in(inputs)
    if not size:
        raise ValueError("no example to measure a model on; fix: give a batch of inputs")
    single = _first(inputs) if one is None else one
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    parameters = list(model.parameters())  # each once, also where weights are tied
    trainable = sum(each.numel() for each in parameters if each.requires_grad)
    with preserve_state(model), torch.no_grad():
        flop = forward_flop(lambda: _call(model, single))
        latency = speed_of(lambda: _call(model, single), device)
        batch = speed_of(lambda: _call(model, inputs), device)
    return {
        PARAMETERS: float(sum(each.numel() for each in parameters)),
        TRAINABLE: float(trainable),
        DISK: saved_bytes(model) / _MB,
        EXAMPLE_WORK: flop,
        LATENCY: 1000 * latency.seconds,
        LATENCY_SPREAD: latency.spread,
        THROUGHPUT: size / batch.seconds,
    }


def saved_bytes(model: nn.Module) -> int:
    """Return the bytes of a model's weights in a file; without its header of ~100 bytes a tensor.

    Weights that share memory are saved once.
    """
    state = model.state_dict().values()
    tensors = {each.data_ptr(): each for each in state if isinstance(each, Tensor)}
    return sum(each.numel() * each.element_size() for each in tensors.values())


def speed_of(run: Callable[[], object], device: torch.device) -> Speed:
    """Return how long `run` takes on a device."""
    for _ in range(_WARM_UP):
        run()
    durations: list[float] = []
    while len(durations) < _FEWEST or (len(durations) < _MOST and sum(durations) < _SECONDS):
        began = _now(device)
        run()
        durations.append(_now(device) - began)
    low, middle, high = np.quantile(durations, (0.25, 0.5, 0.75))
    return Speed(float(middle), float((high - low) / middle))


def examples_in(inputs: Inputs) -> int:
    """Return the number of examples of a batch."""
    if isinstance(inputs, Tensor):
        return len(inputs)
    return len(next(iter(inputs.values()), ()))


def _first(inputs: Inputs) -> Inputs:
    if isinstance(inputs, Tensor):
        return inputs[:1]
    return {name: tensor[:1] for name, tensor in inputs.items()}


def _call(model: nn.Module, inputs: Inputs) -> object:
    return model(inputs) if isinstance(inputs, Tensor) else model(**inputs)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
