"""The adversarial examples behind a robust accuracy, kept so that anybody can verify it.

An accuracy under attack is an upper bound of the true one, and each adversarial example, an image
in the ball that the model misclassifies, proves its share. Verifying takes one forward pass, not an
attack.

A file is safetensors: `attacked` int64 (n,), the positions of the examples that the accuracy is
measured on; `index` int64 (k,), those of them that only the attack made misclassified; `images`
float32 (k, channels, height, width) in [0, 1]; and, as metadata, norm, epsilon, split, metric and
model.
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

_FORMAT = "twentieth adversarial examples 1"
_TEXTS = ("norm", "epsilon", "split", "metric", "model")
# Pixels in [0, 1] have a spacing of 2^-24 or less in float32, and a perturbation is rounded once in
# the attack and once in the difference taken here.
_ROUNDING = 2.0**-23


@dataclass(frozen=True, eq=False)
class AdversarialExamples:
    """Adversarial images of one model, on the CPU.

    Attributes:
        attacked: Positions (n,) of the attacked examples in the split, ascending.
        index: Positions (k,) of those that only the attack made misclassified, ascending.
        images: Their adversarial examples, float32 (k, channels, height, width) in [0, 1].
        norm: Norm of the ball, "linf" or "l2".
        epsilon: Size of the ball on the pixel scale.
        split: The split of the examples: "test" or "confirmation".
        metric: Name of the robust accuracy, `accuracy.worst_linf_0.1`.
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
    """The result of verifying adversarial examples.

    Attributes:
        examples: Number of attacked examples.
        wrong: Number of them that the model misclassifies without an attack.
        in_ball: Number of adversarial examples that lie in the ball.
        confirmed: Number of these that the model misclassifies while the clean image is correct.
        is_same_model: Whether they were found for this model.
    """

    examples: int
    wrong: int
    in_ball: int
    confirmed: int
    is_same_model: bool

    @property
    def bound(self) -> float:
        """Upper bound of the model's robust accuracy on these examples."""
        # One division of counts, as in the metric itself, so that both are bit-equal.
        return (self.examples - self.wrong - self.confirmed) / self.examples


def model_digest(model: nn.Module) -> str:
    """Return the SHA-256 of the names, types, shapes and values of weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        # As bytes, because numpy has no bfloat16.
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def verify(
    model: nn.Module, images: Tensor, labels: Tensor, examples: AdversarialExamples
) -> Verified:
    """Verify every adversarial example against a model, in seconds.

    Args:
        model: maps images to logits.
        images: the clean images of the whole split, float32 (examples, channels, height, width).
        labels: int64 (examples,).
        examples: adversarial examples of this split.

    Raises:
        ValueError: they belong to images of another shape or to a larger split.
    """
    attacked, index = examples.attacked.to(images.device), examples.index.to(images.device)
    if int(attacked[-1]) >= len(images) or examples.images.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"these adversarial examples are of images {tuple(examples.images.shape[1:])} of a "
            f"split with more than {int(attacked[-1])} examples, not of {tuple(images.shape)}"
        )
    shown = examples.images.to(images.device)
    inside = _in_ball(shown, images[index], examples)
    is_right = torch.from_numpy(correct(model, images, labels)).to(images.device)
    is_wrong = ~torch.from_numpy(correct(model, shown, labels[index])).to(images.device)
    return Verified(
        examples=len(attacked),
        wrong=int((~is_right[attacked]).sum()),
        in_ball=int(inside.sum()),
        confirmed=int((inside & is_wrong & is_right[index]).sum()),
        is_same_model=model_digest(model) == examples.model,
    )


def save_adversarial_examples(examples: AdversarialExamples, file: Path) -> None:
    """Write a file, renamed into place when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(examples, name) for name in ("attacked", "index", "images")}
    texts = {name: str(getattr(examples, name)) for name in _TEXTS}
    texts["epsilon"] = repr(examples.epsilon)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, temporary, {"format": _FORMAT, **texts})
    temporary.replace(file)


def load_adversarial_examples(file: Path) -> AdversarialExamples:
    """Read and check a file of `save_adversarial_examples`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or of another format.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            texts = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
        return _checked(tensors, texts)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(f"{file} holds no adversarial examples: {error}") from error


def _checked(tensors: dict[str, Tensor], texts: dict[str, str]) -> AdversarialExamples:
    if texts.get("format") != _FORMAT or set(tensors) != {"attacked", "index", "images"}:
        raise ValueError(f"its format is {texts.get('format')!r}, with {sorted(tensors)}")
    attacked, index, images = tensors["attacked"], tensors["index"], tensors["images"]
    for name, each in (("attacked", attacked), ("index", index)):
        is_ascending = each.dim() == 1 and bool((each[1:] > each[:-1]).all())
        if each.dtype != torch.int64 or not is_ascending or (each < 0).any():
            raise ValueError(f"{name} is no ascending list of positions")
    if not len(attacked) or not torch.isin(index, attacked).all():
        raise ValueError("it has adversarial examples of examples that were not attacked")
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


def _in_ball(shown: Tensor, centre: Tensor, examples: AdversarialExamples) -> Tensor:
    """Return whether each image is in [0, 1] and, up to rounding, within epsilon of `centre`."""
    # In double precision: the rounding of a sum of squares in float32 would be larger.
    delta = (shown.double() - centre.double()).flatten(1)
    is_image = ((shown >= 0) & (shown <= 1)).flatten(1).all(1)
    if examples.norm == "linf":
        sizes, slack = delta.abs().amax(1), _ROUNDING
    else:
        sizes = torch.linalg.vector_norm(delta, dim=1)
        slack = _ROUNDING * math.sqrt(delta.shape[1])
    return is_image & (sizes <= examples.epsilon + slack)
