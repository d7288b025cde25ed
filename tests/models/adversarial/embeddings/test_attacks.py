import pytest
import torch
from torch import Tensor, nn

from models.adversarial.embeddings.attacks import (
    IGNORED,
    EmbeddingBatch,
    embedding_accuracy,
    missing_gradient,
)
from tests.support.tiny_classifiers import NoWayBack


class Bag(nn.Module):
    """Two classes with logits (z, 0) * scale, z the sum over tokens of w (e + delta) + offset."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, -4.0]))
        self.dropout = nn.Dropout(0.5)
        self.scale = scale

    def batch(self, offsets: list[float], labels: list[int], mask: Tensor) -> EmbeddingBatch:
        like = torch.zeros(len(offsets), mask.shape[1], 2)

        def forward(delta: Tensor | None) -> Tensor:
            embeddings = like if delta is None else like + delta
            tokens = (self.dropout(embeddings) @ self.weight) * mask
            z = tokens.sum(1) + self.dropout(torch.tensor(offsets))
            return torch.stack([z, torch.zeros_like(z)], dim=1) * self.scale

        return EmbeddingBatch(forward, torch.tensor(labels), mask, like)


MASK = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0]])
# The norm of w is 5: a perturbation of 0.1 at each token moves z by 0.5 a token.
OFFSETS, LABELS = [0.9, 0.6, 1.1, -0.4], [0, 0, 0, 1]


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("steps", [1, 5])
def test_accuracy_falls_where_the_ball_reaches_over_the_boundary(scale: float, steps: int) -> None:
    model = Bag(scale)

    def accuracy(size: float) -> float:
        return embedding_accuracy(model, [model.batch(OFFSETS, LABELS, MASK)], size, steps=steps)

    assert accuracy(0.0) == 1.0
    # Two tokens move z by 1, one by 0.5: 0.9 and -0.4 are overcome, 0.6 and 1.1 are not.
    assert accuracy(0.1) == 0.5
    assert accuracy(0.13) == 0.0


def test_what_is_wrong_stays_wrong_and_batches_add_up() -> None:
    model = Bag()
    batches = [model.batch([2.0, -2.0], [0, 0], MASK[:2]), model.batch([9.0], [1], MASK[:1])]
    assert embedding_accuracy(model, batches, 0.01) == pytest.approx(1 / 3)


def test_the_model_keeps_its_mode_and_gets_no_gradients() -> None:
    model = Bag().train()
    # In training mode dropout would clear or double the offsets.
    assert embedding_accuracy(model, [model.batch(OFFSETS, LABELS, MASK)], 0.1, steps=3) == 0.5
    assert model.training and model.weight.grad is None


class Tagger(nn.Module):
    """Each token's logits are (its first entry, its second) of embedding and perturbation."""

    def batch(self, embeddings: Tensor, labels: Tensor) -> EmbeddingBatch:
        mask = torch.ones(labels.shape)
        return EmbeddingBatch(
            lambda delta: embeddings if delta is None else embeddings + delta,
            labels, mask, torch.zeros_like(embeddings),
        )  # fmt: skip


def test_words_count_one_by_one_and_ignored_ones_not_at_all() -> None:
    embeddings = torch.tensor(
        [[[1.0, 0.0], [0.2, 0.0], [0.0, 5.0]], [[0.0, 0.1], [9.0, 0.0], [0.0, 0.3]]]
    )
    labels = torch.tensor([[0, 0, IGNORED], [1, IGNORED, 0]])
    model = Tagger()
    batch = model.batch(embeddings, labels)
    # Margins 1, 0.2, 0.1 and -0.3; size d lowers each by d * sqrt(2).
    assert embedding_accuracy(model, [batch], 0.0) == 0.75
    assert embedding_accuracy(model, [batch], 0.1) == 0.5
    assert embedding_accuracy(model, [batch], 0.2) == 0.25
    assert embedding_accuracy(model, [batch], 0.8, steps=5) == 0.0


def test_nan_is_an_error_and_a_setting_out_of_range_is_refused() -> None:
    model = Bag()
    batch = model.batch([float("nan"), 2.0], [0, 0], MASK[:2])
    assert embedding_accuracy(model, [batch], 0.1, steps=3) == 0.5
    with pytest.raises(ValueError, match="0 steps"):
        embedding_accuracy(model, [batch], 0.1, steps=0)
    with pytest.raises(ValueError, match="size nan"):
        embedding_accuracy(model, [batch], float("nan"))
    with pytest.raises(ValueError, match="there are no labels"):
        embedding_accuracy(model, [], 0.1)


def test_a_gradient_that_is_not_finite_or_missing_moves_nothing_and_breaks_nothing() -> None:
    """The text of margin 0.9 would be overcome; 2.5 would not, though its gradient is NaN."""
    like, mask = torch.zeros(2, 2, 2), torch.ones(2, 2)

    def batch(way: float, *, detached: bool = False) -> EmbeddingBatch:
        def forward(delta: Tensor | None) -> Tensor:
            moved = like if delta is None else like + delta
            moved = moved.detach() if detached else moved
            root = 0 * torch.sqrt(moved[1].sum() * way)  # of zero: NaN by every entry
            z = (moved @ torch.tensor([3.0, -4.0])).sum(1) + torch.tensor([0.9, 2.5])
            return torch.stack([z + torch.stack([root * 0, root]), torch.zeros(2)], dim=1)

        return EmbeddingBatch(forward, torch.tensor([0, 0]), mask, like)

    assert embedding_accuracy(nn.Identity(), [batch(0.0)], 0.1) == 0.5
    assert embedding_accuracy(nn.Identity(), [batch(0.0, detached=True)], 0.1) == 1.0
    assert missing_gradient(nn.Identity(), batch(0.0)) == ""
    assert "differentiable" in missing_gradient(nn.Identity(), batch(0.0, detached=True))


def test_why_there_is_no_gradient_is_told_in_the_words_of_torch() -> None:
    def forward(delta: Tensor | None) -> Tensor:
        return NoWayBack.apply(torch.zeros(2, 2, 2) + delta).sum(1)

    batch = EmbeddingBatch(forward, torch.tensor([0, 1]), torch.ones(2, 2), torch.zeros(2, 2, 2))
    assert missing_gradient(nn.Identity(), batch) == "no way back"
