"""Random shifts and mirror images of a batch, drawn per example from a generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, augmentation: str, generator: torch.Generator) -> Tensor:
    """Shift images (n, channels, height, width), and with "shift_flip" mirror half of them.

    A shift is uniform up to an eighth of each side, at least one pixel, and fills with black. An
    eighth corresponds to the four pixels of 32 of He et al. 2016 (section 4.2) on CIFAR-10. "none"
    returns the images themselves. Use "shift_flip" only where mirroring keeps the class: mirrored
    digits and letters are different symbols.
    """
    if augmentation == "none":
        return images
    n, _, height, width = images.shape
    up, left = max(1, height // 8), max(1, width // 8)
    padded = functional.pad(images, (left, left, up, up))
    rows = _offsets(n, up, generator) + torch.arange(height, device=images.device)
    columns = _offsets(n, left, generator) + torch.arange(width, device=images.device)
    if augmentation == "shift_flip":
        mirrored = torch.rand(n, 1, generator=generator, device=generator.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    example = torch.arange(n, device=images.device)[:, None, None]
    # Indices around a slice come first: (n, height, width, channels).
    return padded[example, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _offsets(n: int, reach: int, generator: torch.Generator) -> Tensor:
    """Draw integers (n, 1), uniform in [0, 2 reach]: the first row or column of each crop."""
    return torch.randint(0, 2 * reach + 1, (n, 1), generator=generator, device=generator.device)
