"""Common corruptions of images in [0, 1]: noise, blur and loss of contrast, at five severities.

They are not chosen against the model, so accuracy on them is a metric of its own and says nothing
about attacks.

Source: Hendrycks & Dietterich 2019. Their code (github.com/hendrycks/robustness) has other
strengths for images of 32x32 (CIFAR-10-C, `make_cifar_c.py`) than of 224x224 (ImageNet-C,
`corruptions.py`); here an image gets the strengths of the nearer size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.pixels.evaluation import correct
from models.scores.metric_names import corruption_metric

CorruptionName = Literal["noise", "blur", "contrast"]
CORRUPTIONS: tuple[CorruptionName, ...] = get_args(CorruptionName)
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class _Strengths:
    """Strengths by severity, for images whose smaller side is `side`; sigmas in [0, 1] or pixels.

    `contrast` is the remaining share of each pixel's distance from its channel's mean.
    """

    side: int
    noise: tuple[float, ...]
    blur: tuple[float, ...]
    contrast: tuple[float, ...]


_SMALL = _Strengths(
    side=32,
    noise=(0.04, 0.06, 0.08, 0.09, 0.10),
    blur=(0.4, 0.6, 0.7, 0.8, 1.0),
    contrast=(0.75, 0.5, 0.4, 0.3, 0.15),
)
_LARGE = _Strengths(
    side=224,
    noise=(0.08, 0.12, 0.18, 0.26, 0.38),
    blur=(1.0, 2.0, 3.0, 4.0, 6.0),
    contrast=(0.4, 0.3, 0.2, 0.1, 0.05),
)
# The geometric middle of 32 and 224: sizes compare by their ratio.
_MIDDLE = 85
# skimage, which the source uses, truncates the kernel here.
_KERNEL_SIGMAS = 4.0


def corrupt(images: Tensor, name: CorruptionName, severity: int, seed: int) -> Tensor:
    """Return corrupted images (n, channels, height, width), clipped to [0, 1].

    Noise depends on the seed and an image's position alone, neither on the number of images nor on
    the device. Its pattern is the same at every severity.

    Raises:
        ValueError: the corruption is unknown, or the severity is not 1 to 5.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        problem = f"no corruption {name!r} of severity {severity!r}"
        raise ValueError(f"{problem}; fix: choose one of {list(CORRUPTIONS)} and 1 to 5")
    side = min(images.shape[2:])
    strengths = _SMALL if side < _MIDDLE else _LARGE
    strength: float = getattr(strengths, name)[severity - 1]
    if name == "noise":
        # numpy draws in sequence, so the first images' noise is a prefix.
        drawn = np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32)
        corrupted = images + strength * torch.from_numpy(drawn).to(images.device)
    elif name == "blur":
        # Scaled with the side, except below 32 pixels: 8/32 of 0.4 pixels would be no blur at all.
        corrupted = _blurred(images, strength * max(side / strengths.side, side < _SMALL.side))
    else:
        means = images.mean(dim=(2, 3), keepdim=True)
        corrupted = (images - means) * strength + means
    return corrupted.clamp(0.0, 1.0)


def corrupted_accuracy(
    model: nn.Module, images: Tensor, labels: Tensor, seed: int
) -> dict[str, float]:
    """Return the mean accuracy over severities for each corruption, and the mean of these.

    Evaluated in eval mode. Names are `accuracy.corrupted` and, say, `accuracy.corrupted_noise`.
    """
    kinds = {}
    for name in CORRUPTIONS:
        hits = [
            correct(model, corrupt(images, name, severity, seed), labels).mean()
            for severity in SEVERITIES
        ]
        kinds[corruption_metric(name)] = float(np.mean(hits))
    return {corruption_metric(): float(np.mean(list(kinds.values()))), **kinds}


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Return images blurred by a Gaussian of `sigma` pixels, border pixels replicated."""
    radius = math.ceil(_KERNEL_SIGMAS * sigma)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    channels = images.shape[1]
    # (channels, 1, 1, 2 radius + 1): each channel alone, along the width, then the height.
    weight = (kernel / kernel.sum()).expand(channels, 1, 1, -1)
    padded = functional.pad(images, (radius, radius, radius, radius), mode="replicate")
    rows = functional.conv2d(padded, weight, groups=channels)
    return functional.conv2d(rows, weight.transpose(2, 3), groups=channels)
