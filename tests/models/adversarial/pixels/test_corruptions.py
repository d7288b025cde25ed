import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from models.adversarial.pixels.corruptions import CORRUPTIONS, corrupt, corrupted_accuracy

SHAPES = [(3, 1, 8, 8), (2, 1, 5, 7), (2, 3, 28, 28), (2, 3, 32, 32), (1, 3, 128, 96)]


def pictures(shape: tuple[int, ...]) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupted_image_is_an_image_and_further_off_at_each_severity(shape, name) -> None:
    images = pictures(shape)
    distances = []
    for severity in (1, 2, 3, 4, 5):
        corrupted = corrupt(images, name, severity, seed=0)
        assert corrupted.shape == images.shape and corrupted.dtype == torch.float32
        assert corrupted.min() >= 0 and corrupted.max() <= 1
        distances.append(float((corrupted - images).abs().mean()))
    assert 0 < distances[0] and distances == sorted(set(distances))


@pytest.mark.parametrize(("side", "strengths"), [(32, (0.04, 0.10)), (224, (0.08, 0.38))])
def test_noise_has_the_spread_of_the_benchmark_for_its_size(side, strengths) -> None:
    grey = torch.full((1, 1, side, side), 0.5)
    for severity, strength in zip((1, 5), strengths, strict=True):
        noise = corrupt(grey, "noise", severity, seed=0) - 0.5
        inside = noise[(noise.abs() < 0.499)]
        # The spread of n normal numbers has an error of 1 / sqrt(2 n): five of them at 32x32 are
        # 11 %. Clipping takes some off the widest: of 0.38, 19 % lie outside and are not counted.
        low = 0.89 if strength < 0.2 else 0.6
        assert low < float(inside.std()) / strength < 1.11


def test_contrast_draws_each_channel_to_its_own_mean() -> None:
    images = torch.tensor([[[[0.0, 1.0]], [[0.2, 0.4]]]])
    # What is left at severity 1 of 32x32 images is 0.75: 0.5 -+ 0.375 and 0.3 -+ 0.075.
    expected = torch.tensor([[[[0.125, 0.875]], [[0.225, 0.375]]]])
    torch.testing.assert_close(corrupt(images, "contrast", 1, seed=0), expected)


# Sigma by hand: at 8 and 32 pixels the benchmark's for 32, at 64 twice that, at 112 half of
# ImageNet-C's. Two times float32's rounding of about a hundred products.
@pytest.mark.parametrize(("side", "sigma"), [(8, 1.0), (32, 1.0), (64, 2.0), (112, 3.0)])
def test_blur_is_scipys_with_a_sigma_that_grows_with_the_side(side: int, sigma: float) -> None:
    images = pictures((2, 3, side, side))
    expected = ndimage.gaussian_filter(
        images.numpy(), sigma=(0, 0, sigma, sigma), mode="nearest", truncate=4.0
    )
    found = corrupt(images, "blur", 5, seed=0)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=2e-5, rtol=0)


def test_an_examples_noise_depends_neither_on_those_after_it_nor_on_the_severity() -> None:
    images = torch.full((20, 1, 8, 8), 0.5)
    whole = corrupt(images, "noise", 1, seed=3)
    assert torch.equal(corrupt(images[:7], "noise", 1, seed=3), whole[:7])
    assert not torch.equal(corrupt(images, "noise", 1, seed=4), whole)
    stronger = corrupt(images, "noise", 2, seed=3) - 0.5
    # Both are far from clipping; 0.06 / 0.04.
    torch.testing.assert_close(stronger, (whole - 0.5) * 1.5, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("name", "severity"), [("fog", 1), ("noise", 0), ("blur", 6)])
def test_what_there_is_not_is_named(name, severity) -> None:
    with pytest.raises(ValueError, match=f"no corruption '{name}' of severity {severity}"):
        corrupt(pictures((1, 1, 8, 8)), name, severity, seed=0)


class Bright(nn.Module):
    """Class 1 where the first pixel is above 0.9, which only contrast takes from a lone one."""

    def forward(self, images: Tensor) -> Tensor:
        first = images[:, 0, 0, 0]
        return torch.stack([0.9 - first, first - 0.9], dim=1)


def test_accuracy_is_the_mean_over_severities_and_then_over_kinds(monkeypatch) -> None:
    def marked(images: Tensor, name: str, severity: int, seed: int) -> Tensor:
        falls = {"noise": 6, "blur": 3, "contrast": 1}[name]  # the severity from which it is dark
        return torch.full_like(images, 0.0 if severity >= falls else 1.0)

    monkeypatch.setattr("models.adversarial.pixels.corruptions.corrupt", marked)
    images, labels = torch.ones(4, 1, 2, 2), torch.ones(4, dtype=torch.int64)
    assert corrupted_accuracy(Bright(), images, labels, seed=0) == pytest.approx(
        {
            "accuracy.corrupted": (1.0 + 0.4 + 0.0) / 3,
            "accuracy.corrupted_noise": 1.0,
            "accuracy.corrupted_blur": 0.4,
            "accuracy.corrupted_contrast": 0.0,
        }
    )


def test_it_is_measured_in_eval_mode_and_repeats(digits) -> None:
    images = torch.tensor(digits.validation_images[:50]).float() / digits.scale
    labels = torch.tensor(digits.validation_labels[:50])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)).train()
    first = corrupted_accuracy(model, images, labels, seed=0)
    assert first == corrupted_accuracy(model, images, labels, seed=0) and model.training
    assert np.isclose(np.mean([first[f"accuracy.corrupted_{name}"] for name in CORRUPTIONS]),
                      first["accuracy.corrupted"])  # fmt: skip
