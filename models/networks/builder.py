"""Builders of networks: functions from a configuration and the data's description to a module.

The built-in CNN is built by one (`models/networks/cnn.py`), a user's own network by another
(`own_network.py`); nothing else distinguishes them in training, attacks and checkpoints.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value


@dataclass(frozen=True, eq=False)
class NetworkData:
    """What a builder may know of the data.

    Attributes:
        shape: (channels, height, width) of an image; () for texts.
        classes: Number of logits.
        label_names: Names of the classes by number.
        mean: Mean of the training pixels in [0, 1], (channels, 1, 1), float32, so that
            `(images - data.mean) / data.std` is the usual normalisation; empty for texts.
        std: Their standard deviation, at least 0.001, of the same shape.
        base: Folder of the pretrained model that `task.base` names; None without one.
    """

    shape: tuple[int, ...]
    classes: int
    label_names: tuple[str, ...]
    mean: Tensor
    std: Tensor
    base: Path | None = None


Builder = Callable[[Mapping[str, Value], NetworkData], nn.Module]


def network_data(data: ImageSplits) -> NetworkData:
    """Return what a builder may know of a data set of images."""
    images = data.train_images
    mean = torch.tensor(images.mean(axis=(0, 2, 3), dtype=np.float64) / data.scale)
    spread = torch.tensor(images.std(axis=(0, 2, 3), dtype=np.float64) / data.scale)
    # A constant channel has no spread to divide by.
    spread = spread.clamp(min=1e-3)
    _, channels, height, width = images.shape
    return NetworkData(
        (channels, height, width), len(data.label_names), data.label_names,
        mean.to(torch.float32)[:, None, None], spread.to(torch.float32)[:, None, None],
    )  # fmt: skip


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's, NumPy's and Python's global generators on the CPU; restores them at the end."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also seed the GPUs.
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def build(
    builder: Builder, configuration: Mapping[str, Value], data: NetworkData, seed: int
) -> nn.Module:
    """Return a builder's network, its weights drawn on the CPU: the same on every device.

    The builder gets a configuration of its own, which it may change.
    """
    with seeded(seed):
        return builder(dict(configuration), data)
