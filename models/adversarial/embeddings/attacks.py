"""Accuracy under perturbed token embeddings: a diagnostic, not a threat.

Nobody can send embeddings, but gradients find weaknesses that greedy edits miss. The size is a
share of the *pretrained* embeddings' unit (unit.py), fixed per task, so a model cannot
gain by shrinking or growing its own. The worst of every point visited counts, per example, the
clean one included, and the margin is attacked beside the cross-entropy, for scaled logits hide the
latter's gradient. Figures are upper bounds: the attacks need not find the worst case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.adversarial.embeddings.training import Forward
from models.adversarial.embeddings.unit import TokenBall
from models.adversarial.pixels.attacks import cross_entropy, margin, margin_loss
from models.adversarial.pixels.evaluation import evaluating

IGNORED = -100  # a label that is not judged
# As for images (evaluation.py): reaches the border from anywhere and moves along it.
_REACH = 2.5


@dataclass(frozen=True, eq=False)
class EmbeddingBatch:
    """A batch to attack, and the model's answers to it.

    Attributes:
        forward: logits (batch, classes) or (batch, positions, classes) with a perturbation added
            to the token embeddings; None: without.
        labels: true classes (batch,) or (batch, positions), `IGNORED` where none is asked for;
            they belong to the logits at the same position, so a decoder's are shifted before.
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
    """Share of labels right, in [0, 1], under perturbations of norm `size` at each token.

    One step is FGM with steps of the full size; more are PGD. Evaluation mode and float32; the
    model's parameters get no gradients. An example's labels (its words', for entities) are
    attacked together, and its worst point is that with the fewest right.

    Args:
        model: whose mode is set; the batches' `forward` asks it.
        batches: over the same fixed examples for every model.
        size: share * `pretrained_unit`.
        steps: gradient steps an attack.

    Raises:
        ValueError: no label is judged, or a setting is out of range.
    """
    if steps < 1 or not 0 <= size < float("inf"):
        raise ValueError(f"{steps} steps of size {size}: give at least one step, a finite size")
    right = asked = 0
    with evaluating(model):
        for batch in batches:
            with torch.autocast(batch.like.device.type, enabled=False):
                fewest = [_fewest_right(batch, loss, size, steps) for loss in _LOSSES]
            right += int(torch.stack(fewest).amin(0).sum())
            asked += int((batch.labels != IGNORED).sum())
    if not asked:
        raise ValueError("no label to judge: give at least one batch with labels")
    return right / asked


_LOSSES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (cross_entropy, margin_loss)


def _fewest_right(
    batch: EmbeddingBatch, loss: Callable[[Tensor, Tensor], Tensor], size: float, steps: int
) -> Tensor:
    """The fewest labels right (batch,) at the clean point and every one that an attack visits."""
    ball = TokenBall(batch.mask, size)
    step_size = size if steps == 1 else _REACH * size / steps
    delta = torch.zeros_like(batch.like, dtype=torch.float32)
    fewest = (batch.labels != IGNORED).reshape(len(batch.labels), -1).sum(1)
    for _ in range(steps):
        delta = delta.detach().requires_grad_()
        losses, right = _judge(batch, delta, loss)
        fewest = torch.minimum(fewest, _per_example(batch, right))
        # What is wrong already needs no push; the rest of its example gets all of it.
        value = (losses * right).sum()
        (gradient,) = torch.autograd.grad(value, delta)
        with torch.no_grad():
            delta = ball.project(delta + step_size * ball.steepest(gradient))
    with torch.no_grad():
        _, right = _judge(batch, delta, loss)
    return torch.minimum(fewest, _per_example(batch, right))


def _judge(
    batch: EmbeddingBatch, delta: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Loss of each label judged (labels,), and whether it is right; a tie and NaN are errors."""
    is_asked = (batch.labels != IGNORED).reshape(-1)
    logits = batch.forward(delta).float()
    logits, labels = logits.reshape(-1, logits.shape[-1])[is_asked], batch.labels.reshape(-1)
    labels = labels[is_asked]
    return loss(logits, labels), margin(logits.detach(), labels) > 0


def _per_example(batch: EmbeddingBatch, right: Tensor) -> Tensor:
    """How many labels of each example (batch,) are right."""
    counts = torch.zeros_like(batch.labels)
    counts[batch.labels != IGNORED] = right.to(counts.dtype)
    return counts.reshape(len(counts), -1).sum(1)
