"""Perturbations of token embeddings: their unit, and the ball around each token.

An epsilon is a multiple of the *unit*, the mean norm of the pretrained embeddings of the training
tokens. The unit is fixed per task: relative to its own embeddings a model could shrink the attack.
Epsilon bounds the L2 norm of each token's perturbation. The papers (Miyato et al. 2017, Zhu et al.
2020) bound the norm over a whole text instead; then the change allowed at each token depends on the
length of the text, so one epsilon means different things across texts and tasks. Within our bound
steepest ascent moves every token by the full size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


def pretrained_unit(embedding_table: Tensor, token_ids: Tensor | Iterable[int]) -> float:
    """Return the mean L2 norm of the table's rows over tokens, weighted by their frequency.

    Args:
        embedding_table: the pretrained table (vocabulary, width), before any training.
        token_ids: ids of the training tokens, in any order; (n,) or any other shape.

    Raises:
        ValueError: no tokens, an id outside the table, or a unit that is not finite and positive.
    """
    ids = torch.as_tensor(
        token_ids if isinstance(token_ids, Tensor) else list(token_ids), dtype=torch.int64
    ).flatten()
    rows = len(embedding_table)
    if not len(ids):
        raise ValueError("no training tokens: the unit of perturbations is undefined")
    if int(ids.min()) < 0 or int(ids.max()) >= rows:
        raise ValueError(
            f"token ids reach from {ids.min()} to {ids.max()}, but the table has {rows} rows"
        )
    counts = torch.bincount(ids, minlength=rows).to(embedding_table.device, torch.float64)
    norms = torch.linalg.vector_norm(embedding_table.detach().double(), dim=1)
    unit = float((norms * counts).sum() / counts.sum())
    if not 0 < unit < float("inf"):
        raise ValueError(f"the pretrained embeddings have mean norm {unit}; fix: use another model")
    return unit


@dataclass(frozen=True, eq=False)
class TokenBall:
    """Perturbations (batch, tokens, width) within `radius` at each token of `mask`, 0 elsewhere.

    `mask` (batch, tokens) is nonzero where a token may be perturbed, so not at padding.
    """

    mask: Tensor
    radius: float

    def project(self, delta: Tensor) -> Tensor:
        """Return the nearest perturbation in the ball."""
        shrunk = delta * (self.radius / _norms(delta)).clamp(max=1.0)
        return torch.where(self._open(), shrunk, 0.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction of steepest ascent, of norm 1 at each token; 0 where it is 0."""
        return torch.where(self._open(), gradient / _norms(gradient), 0.0)

    def noise(self, like: Tensor, size: float, generator: torch.Generator) -> Tensor:
        """Draw perturbations uniform in [-size, size] / sqrt(width), projected into the ball.

        A token's norm is at most `size` (Zhu et al. 2020, Algorithm 1, where the root is over the
        whole text). Drawn on the generator's device.
        """
        uniform = torch.rand(like.shape, generator=generator, device=generator.device) * 2 - 1
        return self.project(uniform.to(like.device, like.dtype) * (size / like.shape[-1] ** 0.5))

    def _open(self) -> Tensor:
        return self.mask.bool()[..., None]


def _norms(delta: Tensor) -> Tensor:
    """Return L2 norms per token (batch, tokens, 1), at least 1e-30 to avoid division by zero.

    Gradients are scaled by their largest entry first, because the squares of small gradients (many
    tokens, a confident model) vanish in float32.
    """
    largest = delta.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30)
    norms: Tensor = torch.linalg.vector_norm(delta / largest, dim=-1, keepdim=True) * largest
    return norms.clamp(min=1e-30)
