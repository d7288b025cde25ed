"""Preprocessing of images in [0, 1] inside a vision transformer: channels, size, scale."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from models.networks.base_model import BaseModel, read_json


@dataclass(frozen=True)
class PixelInput:
    """Converts images in [0, 1] to the input that a vision transformer was trained on.

    It is a hook on the model's body: attacks work on pixels, and a saved model is a plain one.
    """

    channels: int
    side: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Prepare the images among the body's arguments."""
        if args:
            return (self.prepare(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "pixel_values": self.prepare(kwargs["pixel_values"])}

    def prepare(self, images: Tensor) -> Tensor:
        """Convert (batch, channels, height, width) to the model's channels, size and scale.

        Grey images get three equal channels where the model has three. Resizing is bilinear
        (antialiased when it shrinks), so gradients reach the original pixels.
        """
        if images.shape[1] != self.channels:
            images = images.expand(-1, self.channels, -1, -1)
        if images.shape[-2:] != self.side:
            images = functional.interpolate(
                images, self.side, mode="bilinear", align_corners=False, antialias=True
            )
        mean = images.new_tensor(self.mean).view(1, -1, 1, 1)
        std = images.new_tensor(self.std).view(1, -1, 1, 1)
        return (images - mean) / std


def take_pixels(model: Any, base: BaseModel, image: tuple[int, int, int] | None) -> None:
    """Add a hook to `model` that prepares images of shape `image`.

    Mean and spread come from the base's preprocessor_config.json; their default is 0.5.

    Raises:
        ValueError: the images' shape is missing or has other channels than the model, or mean and
            spread do not fit it.
    """
    if image is None:
        raise ValueError(f"{base.name}: no shape of images; fix: give (channels, height, width)")
    channels = int(model.config.num_channels)
    if image[0] not in (1, channels):
        raise ValueError(f"{base.name} takes images of {channels} channels, these have {image[0]}; "
                         f"fix: give grey ones or ones of {channels} channels")  # fmt: skip
    size = model.config.image_size
    side = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    mean, std = _normalisation(base.folder, channels)
    hook = PixelInput(channels, side, mean, std)
    getattr(model, model.base_model_prefix).register_forward_pre_hook(hook, with_kwargs=True)


def _normalisation(folder: Path, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and spread of the pixels in the model's training, per channel; default 0.5."""
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    with contextlib.suppress(TypeError, ValueError):  # no lists, or not of numbers: refused below
        mean = tuple(map(float, settings.get("image_mean") or [0.5] * channels))
        std = tuple(map(float, settings.get("image_std") or [0.5] * channels))
    if not len(mean) == len(std) == channels or min(std) <= 0:
        raise ValueError(f"{path}: image_mean and image_std must have {channels} values, the "
                         "spreads positive; fix: correct the file")  # fmt: skip
    return mean, std


class PixelLogits(nn.Module):
    """A vision transformer from images to logits, as attacks need it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, channels, height, width)."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits
