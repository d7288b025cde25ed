"""Witnesses: the adversarial images behind a robust accuracy, kept so that anybody can check it.

An accuracy under attack is an upper bound of the true one, and a witness proves its share of it:
an image in the ball that the model gets wrong. Checking takes one forward pass, not an attack.

A file is safetensors: `attacked` int64 (n,), the examples of the split that the figure is of;
`index` int64 (k,), those of them that were right until attacked; `images` float32 (k, channels,
height, width) in [0, 1]; and, as metadata, what they are witnesses of.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.adversarial.pixels.evaluation import correct

_FORMAT = "twentieth witnesses 1"
_TEXTS = ("norm", "epsilon", "split", "metric", "model")
# A pixel in [0, 1] has a spacing of 2^-24 or less in float32, and adding a perturbation to it
# rounds once in the attack and once in the difference that is taken here.
_ROUNDING = 2.0**-23


@dataclass(frozen=True, eq=False)
class AdversarialExamples:
    """Adversarial images of one model, on the CPU.

    Attributes:
        attacked: Positions (n,) in the split of the examples that the figure is of, ascending.
        index: Positions (k,) in the split of those that were broken by an attack, ascending.
        images: What broke them, float32 (k, channels, height, width) in [0, 1].
        norm: Of the ball, "linf" or "l2".
        epsilon: Its size on the pixel scale.
        split: What the examples were taken from: "test" or "confirmation".
        metric: The figure, `accuracy.worst_linf_0.1`.
        model: `model_digest` of the model.
    """

    attacked: Tensor
    index: Tensor
    images: Tensor
    norm: Literal["linf", "l2"]
    epsilon: float
    split: str
    metric: str
    model: str


@dataclass(frozen=True)
class Verified:
    """What checking witnesses showed.

    Attributes:
        examples: How many the figure is of.
        wrong: How many of them the model gets wrong as they are.
        in_ball: Witnesses that are in the ball.
        confirmed: Of these, how many the model gets wrong, where the clean image is right.
        is_same_model: Whether it is the model that they were found for.
    """

    examples: int
    wrong: int
    in_ball: int
    confirmed: int
    is_same_model: bool

    @property
    def bound(self) -> float:
        """What the model's robust accuracy on these examples cannot exceed."""
        # One division of counts, as in the figure itself: the same number, not nearly the same.
        return (self.examples - self.wrong - self.confirmed) / self.examples


def model_digest(model: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and values of a model's weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        # As bytes: numpy knows no bfloat16.
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def verify(
    model: nn.Module, images: Tensor, labels: Tensor, witnesses: AdversarialExamples
) -> Verified:
    """Checks every witness against a model, in seconds.

    Args:
        model: maps images to logits.
        images: the clean images of the whole split, float32 (examples, channels, height, width).
        labels: int64 (examples,).
        witnesses: of examples of this split.

    Raises:
        ValueError: they are not of images like these.
    """
    attacked, index = witnesses.attacked.to(images.device), witnesses.index.to(images.device)
    if int(attacked[-1]) >= len(images) or witnesses.images.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"these witnesses are of images {tuple(witnesses.images.shape[1:])} of a split with "
            f"more than {int(attacked[-1])} examples, not of {tuple(images.shape)}"
        )
    shown = witnesses.images.to(images.device)
    inside = _in_ball(shown, images[index], witnesses)
    is_right = torch.from_numpy(correct(model, images, labels)).to(images.device)
    is_broken = ~torch.from_numpy(correct(model, shown, labels[index])).to(images.device)
    return Verified(
        examples=len(attacked),
        wrong=int((~is_right[attacked]).sum()),
        in_ball=int(inside.sum()),
        confirmed=int((inside & is_broken & is_right[index]).sum()),
        is_same_model=model_digest(model) == witnesses.model,
    )


def save_adversarial_examples(witnesses: AdversarialExamples, file: Path) -> None:
    """Writes a file, complete or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(witnesses, name) for name in ("attacked", "index", "images")}
    texts = {name: str(getattr(witnesses, name)) for name in _TEXTS}
    texts["epsilon"] = repr(witnesses.epsilon)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, temporary, {"format": _FORMAT, **texts})
    temporary.replace(file)


def load_adversarial_examples(file: Path) -> AdversarialExamples:
    """Reads a file of `save_adversarial_examples`, checked.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or no such file; names it.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            texts = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
        return _checked(tensors, texts)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(f"{file} holds no witnesses: {error}") from error


def _checked(tensors: dict[str, Tensor], texts: dict[str, str]) -> AdversarialExamples:
    if texts.get("format") != _FORMAT or set(tensors) != {"attacked", "index", "images"}:
        raise ValueError(f"its format is {texts.get('format')!r}, with {sorted(tensors)}")
    attacked, index, images = tensors["attacked"], tensors["index"], tensors["images"]
    for name, each in (("attacked", attacked), ("index", index)):
        is_ascending = each.dim() == 1 and bool((each[1:] > each[:-1]).all())
        if each.dtype != torch.int64 or not is_ascending or (each < 0).any():
            raise ValueError(f"{name} is no ascending list of positions")
    if not len(attacked) or not torch.isin(index, attacked).all():
        raise ValueError("it has witnesses of examples that were not attacked")
    if images.dtype != torch.float32 or images.dim() != 4 or len(images) != len(index):
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)} for {len(index)}")
    if not ((images >= 0) & (images <= 1)).all():  # NaN fails both
        raise ValueError("it has pixels outside [0, 1]")
    epsilon, norm = float(texts["epsilon"]), texts["norm"]
    if norm not in ("linf", "l2") or not 0 < epsilon < math.inf:
        raise ValueError(f"its ball is {norm!r} of size {epsilon}")
    return AdversarialExamples(
        attacked, index, images, "linf" if norm == "linf" else "l2", epsilon,
        split=texts["split"], metric=texts["metric"], model=texts["model"],
    )  # fmt: skip


def _in_ball(shown: Tensor, centre: Tensor, witnesses: AdversarialExamples) -> Tensor:
    """Whether each image is within epsilon of its clean one, but for rounding, and in [0, 1]."""
    # In double precision: a sum of many squares in float32 would be the larger error.
    delta = (shown.double() - centre.double()).flatten(1)
    is_image = ((shown >= 0) & (shown <= 1)).flatten(1).all(1)
    if witnesses.norm == "linf":
        sizes, slack = delta.abs().amax(1), _ROUNDING
    else:
        sizes = torch.linalg.vector_norm(delta, dim=1)
        slack = _ROUNDING * math.sqrt(delta.shape[1])
    return is_image & (sizes <= witnesses.epsilon + slack)
