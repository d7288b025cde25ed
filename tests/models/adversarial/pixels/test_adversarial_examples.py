"""Adversarial examples: stored, read back, and verified against a model and a ball."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.adversarial.pixels.adversarial_examples import (
    AdversarialExamples,
    load_adversarial_examples,
    model_digest,
    save_adversarial_examples,
    verify,
)


class Bright(nn.Module):
    """Class 1 from a mean brightness of 0.5 on."""

    def __init__(self, border: float = 0.5) -> None:
        super().__init__()
        self.register_buffer("border", torch.tensor(border))

    def forward(self, images: Tensor) -> Tensor:
        above = images.mean(dim=(1, 2, 3)) - self.border
        return torch.stack([-above, above], dim=1)


def flat(*values: float) -> Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2).clone()


# Example 3 is wrong as it is; 1 was not attacked.
IMAGES, LABELS = flat(0.45, 0.2, 0.1, 0.3, 0.42), torch.tensor([0, 0, 0, 1, 0])


def found(images: Tensor, index: list[int], **changes: object) -> AdversarialExamples:
    made = AdversarialExamples(
        attacked=torch.tensor([0, 2, 3, 4]), index=torch.tensor(index), images=images,
        norm="linf", epsilon=0.1, split="test", metric="accuracy.worst_linf_0.1",
        model=model_digest(Bright()),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_adversarial_examples_are_read_back_unchanged(tmp_path: Path) -> None:
    made = found(flat(0.55, 0.52), [0, 4], epsilon=8 / 255, norm="l2")
    save_adversarial_examples(made, tmp_path / "new" / "w.safetensors")
    read = load_adversarial_examples(tmp_path / "new" / "w.safetensors")
    for name in ("attacked", "index", "images"):
        assert torch.equal(getattr(read, name), getattr(made, name))
    for name in ("norm", "epsilon", "split", "metric", "model"):
        assert getattr(read, name) == getattr(made, name)
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["w.safetensors"]


def test_the_bound_counts_clean_errors_and_adversarial_examples() -> None:
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.55, 0.52), [0, 4]))
    assert (checked.examples, checked.wrong, checked.in_ball, checked.confirmed) == (4, 1, 2, 2)
    assert checked.bound == 0.25 and checked.is_same_model


def test_an_example_outside_of_the_ball_or_classified_correctly_proves_nothing() -> None:
    # 0.56 is 0.11 from 0.45; 0.48 is still class 0.
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.56, 0.48), [0, 4]))
    assert (checked.in_ball, checked.confirmed, checked.bound) == (1, 0, 0.75)


def test_an_example_whose_clean_image_is_wrong_is_not_counted_twice() -> None:
    checked = verify(Bright(), IMAGES, LABELS, found(flat(0.3), [3]))
    assert (checked.wrong, checked.confirmed, checked.bound) == (1, 0, 0.75)


def test_the_l2_ball_is_of_the_whole_image() -> None:
    # Four pixels off by 0.1: a norm of 0.2.
    for epsilon, in_ball in ((0.2, 1), (0.199, 0)):
        made = found(flat(0.55), [0], norm="l2", epsilon=epsilon)
        assert verify(Bright(), IMAGES, LABELS, made).in_ball == in_ball


def test_another_model_is_told_apart_and_still_checked() -> None:
    other = verify(Bright(0.9), IMAGES, LABELS, found(flat(0.55, 0.52), [0, 4]))
    assert not other.is_same_model and other.confirmed == 0
    assert model_digest(Bright(0.9)) != model_digest(Bright()) == model_digest(Bright())


def test_adversarial_examples_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not of"):
        verify(Bright(), IMAGES[:3], LABELS[:3], found(flat(0.55), [0]))


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    with pytest.raises(FileNotFoundError):
        load_adversarial_examples(file)
    file.write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match=r"w\.safetensors holds no adversarial examples"):
        load_adversarial_examples(file)
    save_file({"index": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="holds no adversarial examples: its format is None"):
        load_adversarial_examples(file)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"images": flat(1.5)}, "outside"),
        ({"images": flat(0.5, 0.5)}, "for 1"),
        ({"images": flat(0.5).double()}, "float64"),
        ({"index": torch.tensor([1])}, "not attacked"),
        ({"index": torch.tensor([-1])}, "ascending list"),
        ({"epsilon": float("nan")}, "ball"),
        ({"norm": "l7"}, "ball"),
    ],
)
def test_a_file_with_impossible_content_is_refused(
    tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    made = replace(found(flat(0.55), [0]), **changes)  # type: ignore[arg-type]
    save_adversarial_examples(made, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=problem):
        load_adversarial_examples(tmp_path / "w.safetensors")
