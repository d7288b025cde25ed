"""Adversarial examples, verified against a model and a ball."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.adversarial.pixels.adversarial_examples import (
    AdversarialExamples,
    model_digest,
    verify,
)
from models.adversarial.pixels.evaluation import fixed_subset
from tests.support.tiny_classifiers import Bright, flat

# Example 3 is wrong as it is; 1 was not attacked, as the last of five in the order of this seed.
SEED = next(seed for seed in range(99) if fixed_subset(5, 4, seed).tolist() == [0, 2, 3, 4])
IMAGES, LABELS = flat(0.45, 0.2, 0.1, 0.3, 0.42), torch.tensor([0, 0, 0, 1, 0])


def found(images: Tensor, index: list[int], **changes: object) -> AdversarialExamples:
    made = AdversarialExamples(
        attacked=torch.tensor([0, 2, 3, 4]), index=torch.tensor(index, dtype=torch.int64),
        images=images, split="test", metric="accuracy.worst_linf_0.1", model=model_digest(Bright()),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_bound_counts_clean_errors_and_adversarial_examples() -> None:
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.55, 0.52), [0, 4]), SEED)
    assert (checked.examples, checked.wrong, checked.in_ball, checked.confirmed) == (4, 1, 2, 2)
    assert checked.bound == 0.25 and checked.is_same_model


def test_an_example_outside_of_the_ball_or_classified_correctly_proves_nothing() -> None:
    # 0.56 is 0.11 from 0.45; 0.48 is still class 0.
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.56, 0.48), [0, 4]), SEED)
    assert (checked.in_ball, checked.confirmed, checked.bound) == (1, 0, 0.75)


def test_an_example_whose_clean_image_is_wrong_is_not_counted_twice() -> None:
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.3), [3]), SEED)
    assert (checked.wrong, checked.confirmed, checked.bound) == (1, 0, 0.75)


def test_the_l2_ball_is_of_the_whole_image() -> None:
    # 36 pixels off by 0.1: a norm of 0.6.
    for epsilon, in_ball in ((0.6, 1), (0.599, 0)):
        made = found(flat(0.55), [0], metric=f"accuracy.worst_l2_{epsilon}")
        assert verify(Bright(), IMAGES, LABELS, made, SEED).in_ball == in_ball


def test_another_model_is_told_apart_and_still_checked() -> None:
    other = verify(Bright(0.9), IMAGES, LABELS, found(flat(0.55, 0.52), [0, 4]), SEED)
    assert not other.is_same_model and other.confirmed == 0
    assert model_digest(Bright(0.9)) != model_digest(Bright()) == model_digest(Bright())


def test_adversarial_examples_of_other_images_are_refused() -> None:
    wide = torch.rand(5, 1, 6, 7)
    with pytest.raises(ValueError, match=r"\(1, 6, 6\), not of \(1, 6, 7\)"):
        verify(Bright(), wide, LABELS, found(flat(0.55), [0]), SEED)


@pytest.mark.parametrize("attacked", [[0, 4], [0, 1, 2, 3], [0, 2, 3, 9], [1]])
def test_examples_that_were_chosen_are_refused(attacked: list[int]) -> None:
    """Only the misclassified ones, others, some of a larger split, or one."""
    made = found(flat(0.55)[:0], [], attacked=torch.tensor(attacked))
    with pytest.raises(ValueError, match="they were chosen"):
        verify(Bright(), IMAGES, LABELS, made, SEED)
    with pytest.raises(ValueError, match="they were chosen"):
        verify(Bright(), IMAGES, LABELS, found(flat(0.55), [0]), SEED + 1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"split": "train"}, "the split is 'train'"),
        ({"metric": "accuracy.clean"}, "no accuracy under an attack"),
        ({"metric": "accuracy.words_0.1"}, "no accuracy under an attack"),
        ({"metric": "test.accuracy.worst_linf_0.1"}, "no accuracy under an attack"),
        ({"metric": "unconfirmed.accuracy.pgd10_linf_0.1"}, "no accuracy under an attack"),
        ({"metric": "accuracy.worst_linf_0"}, "a ball of size 0"),
        ({"metric": "accuracy.worst_l2_1e999"}, "a ball of size inf"),
    ],
)
def test_a_metric_without_a_ball_and_an_unknown_split_are_refused(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        found(flat(0.55), [0], **changes)
