"""Accuracy under perturbed token embeddings: a diagnostic, not a threat.

Attackers cannot send embeddings, but gradients find weaknesses that greedy edits miss. The size is
a share of the *pretrained* embeddings' unit (epsilon_unit.py), fixed per task, so a model does not
gain by rescaling its own. The worst of all visited points counts, per example, the clean one
included. The margin is attacked in addition to the cross-entropy, whose gradient scaled logits
mask. Accuracies are upper bounds: the attacks may miss the worst case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.adversarial.embeddings.epsilon_unit import TokenBall
from models.adversarial.embeddings.training import Forward
from models.adversarial.pixels.attacks import (
    cross_entropy,
    finite_or_zero,
    gradient_or_zero,
    margin,
    margin_loss,
)
from models.adversarial.pixels.evaluation import evaluating

IGNORED = -100  # a label that is not evaluated
# Total length of the steps in epsilons: reaches the border from anywhere and moves along it.
_REACH = 2.5


@dataclass(frozen=True, eq=False)
class EmbeddingBatch:
    """A batch to attack, and the model's logits on it.

    Attributes:
        forward: logits (batch, classes) or (batch, positions, classes) with a perturbation added
            to the token embeddings; None: without.
        labels: true classes (batch,) or (batch, positions), `IGNORED` where there is none; they
            belong to the logits at the same position, so a decoder's are shifted before.
        mask: (batch, tokens), nonzero where a token may be perturbed, so not at padding.
        like: any tensor of the embeddings' shape (batch, tokens, width), dtype, device.
    """

    forward: Forward
    labels: Tensor
    mask: Tensor
    like: Tensor


def embedding_accuracy(
    model: nn.Module, batches: Iterable[EmbeddingBatch], size: float, *, steps: int = 1
) -> float:
    """Return the share of correct labels under perturbations of norm `size` at each token.

    One step is FGM with the full size; more steps are PGD. The model is in eval mode and float32;
    its parameters get no gradients. All labels of an example (of its words, for entities) are
    attacked together, and its worst point is the one with the fewest correct labels.

    Args:
        model: the model behind the batches' `forward`, to set its mode.
        batches: the same fixed examples for every model.
        size: share * `pretrained_unit`.
        steps: gradient steps of each attack.

    Raises:
        ValueError: there are no labels, or a setting is out of range.
    """
    if steps < 1 or not 0 <= size < float("inf"):
        raise ValueError(
            f"{steps} steps of size {size}; fix: give at least one step, a finite size"
        )
    right = asked = 0
    with evaluating(model):
        for batch in batches:
            with torch.autocast(batch.like.device.type, enabled=False):
                fewest = [_fewest_right(batch, loss, size, steps) for loss in _LOSSES]
            right += int(torch.stack(fewest).amin(0).sum())
            asked += int((batch.labels != IGNORED).sum())
    if not asked:
        raise ValueError("there are no labels; fix: give at least one batch with labels")
    return right / asked


def missing_gradient(model: nn.Module, batch: EmbeddingBatch) -> str:
    """Return why no gradient reaches the embeddings, in torch's words; "" if one does.

    Without one `embedding_accuracy` finds nothing: it is the accuracy without an attack.
    """
    with evaluating(model), torch.autocast(batch.like.device.type, enabled=False):
        delta = torch.zeros_like(batch.like, dtype=torch.float32).requires_grad_()
        losses, _ = _losses(batch, delta, margin_loss)
        return gradient_or_zero(losses.sum(), delta)[1]


_LOSSES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (cross_entropy, margin_loss)


def _fewest_right(
    batch: EmbeddingBatch, loss: Callable[[Tensor, Tensor], Tensor], size: float, steps: int
) -> Tensor:
    """Return the fewest correct labels (batch,) over the clean point and those visited."""
    ball = TokenBall(batch.mask, size)
    step_size = size if steps == 1 else _REACH * size / steps
    delta = torch.zeros_like(batch.like, dtype=torch.float32)
    fewest = (batch.labels != IGNORED).reshape(len(batch.labels), -1).sum(1)
    for _ in range(steps):
        delta = delta.detach().requires_grad_()
        losses, right = _losses(batch, delta, loss)
        fewest = torch.minimum(fewest, _per_example(batch, right))
        # Labels that are wrong already are not attacked further.
        value = (losses * right).sum()
        gradient, _ = gradient_or_zero(value, delta)
        with torch.no_grad():
            direction = ball.steepest(finite_or_zero(gradient))
            delta = ball.project(delta + step_size * direction)
    with torch.no_grad():
        _, right = _losses(batch, delta, loss)
    return torch.minimum(fewest, _per_example(batch, right))


def _losses(
    batch: EmbeddingBatch, delta: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the loss of each label (labels,), and whether it is correct; ties and NaN are not."""
    is_asked = (batch.labels != IGNORED).reshape(-1)
    logits = batch.forward(delta).float()
    logits, labels = logits.reshape(-1, logits.shape[-1])[is_asked], batch.labels.reshape(-1)
    labels = labels[is_asked]
    return loss(logits, labels), margin(logits.detach(), labels) > 0


def _per_example(batch: EmbeddingBatch, right: Tensor) -> Tensor:
    """Return the number of correct labels of each example (batch,)."""
    counts = torch.zeros_like(batch.labels)
    counts[batch.labels != IGNORED] = right.to(counts.dtype)
    return counts.reshape(len(counts), -1).sum(1)
