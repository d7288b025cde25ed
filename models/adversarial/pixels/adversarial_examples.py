"""The adversarial examples behind a robust accuracy, kept so that anybody can verify it.

An accuracy under attack is an upper bound of the true one, and each adversarial example, an image
in the ball that the model misclassifies, proves its share. Verifying takes one forward pass, not an
attack.

Whoever shows them chooses nothing: the ball is that of the metric's name, and the attacked examples
are the first of the order that every evaluation attacks. Their files: `stored_examples.py`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import cast, get_args

import torch
from torch import Tensor, nn

from models.adversarial.pixels.evaluation import correct, fixed_subset
from models.scores.metric_names import MetricName, Norm, PixelAttack, Split, on_split

SPLITS = ("test", "confirmation")
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
        split: The split of the examples: "test" or "confirmation".
        metric: Name of the robust accuracy, `accuracy.worst_linf_0.1`, which has the ball.
        model: `model_digest` of the model.

    Raises:
        ValueError: the split is unknown, or the metric has no ball.
    """

    attacked: Tensor
    index: Tensor
    images: Tensor
    split: str
    metric: str
    model: str

    def __post_init__(self) -> None:
        name = MetricName.parse(self.metric)
        if self.split not in SPLITS:
            raise ValueError(f"the split is {self.split!r}, not one of {', '.join(SPLITS)}")
        is_plain = name.split == "validation" and not name.is_unconfirmed
        if not is_plain or name.attack not in get_args(PixelAttack):
            raise ValueError(f"{self.metric!r} is no accuracy under an attack in a ball")
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"{self.metric!r} has a ball of size {self.epsilon}")

    @property
    def logged_metric(self) -> str:
        """The metric as a run has it, with the split: `test.accuracy.worst_linf_0.1`."""
        return on_split(cast(Split, self.split), self.metric)

    @property
    def norm(self) -> Norm:
        """Norm of the ball, "linf" or "l2"."""
        return cast(Norm, MetricName.parse(self.metric).norm)

    @property
    def epsilon(self) -> float:
        """Size of the ball on the pixel scale, of ten digits."""
        return cast(float, MetricName.parse(self.metric).epsilon)


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
    model: nn.Module, images: Tensor, labels: Tensor, examples: AdversarialExamples, seed: int
) -> Verified:
    """Verify every adversarial example against a model, in seconds.

    Args:
        model: maps images to logits.
        images: the clean images of the whole split, float32 (examples, channels, height, width).
        labels: int64 (examples,).
        examples: adversarial examples of this split.
        seed: seed of the order of examples (`fixed_subset`), the threat's.

    Raises:
        ValueError: they are of images of another shape, or not of the first of that order.
    """
    if examples.images.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"these adversarial examples are of images {tuple(examples.images.shape[1:])}, not of "
            f"{tuple(images.shape[1:])}"
        )
    count = len(examples.attacked)
    expected = torch.from_numpy(fixed_subset(len(images), count, seed))
    if not torch.equal(examples.attacked, expected):
        raise ValueError(
            f"its {count} attacked examples are not the first {count} of the fixed order (seed "
            f"{seed}) in which evaluations attack these {len(images)}: they were chosen"
        )
    attacked, index = examples.attacked.to(images.device), examples.index.to(images.device)
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
