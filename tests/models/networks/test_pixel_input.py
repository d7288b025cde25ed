import json
from pathlib import Path

import pytest
import torch

from models.networks.base_model import locate_base
from models.networks.pixel_input import PixelInput
from models.networks.transformer import LoadedBase
from tests.support.tiny_models import tiny_vit

NAMES = ("circle", "square")
DRY = {"dropout": 0.0}


def test_pixels_are_scaled_by_mean_and_spread_of_each_channel() -> None:
    prepare = PixelInput(2, (1, 2), (0.5, 0.25), (0.5, 0.125)).prepare
    images = torch.tensor([[[[0.0, 1.0]], [[0.25, 0.5]]]])
    assert prepare(images).tolist() == [[[[-1.0, 1.0]], [[0.0, 2.0]]]]


def test_grey_becomes_equal_channels_and_small_images_grow() -> None:
    prepare = PixelInput(3, (4, 4), (0.0,) * 3, (1.0,) * 3).prepare
    prepared = prepare(torch.full((2, 1, 2, 2), 0.75))
    assert prepared.shape == (2, 3, 4, 4)
    torch.testing.assert_close(prepared, torch.full((2, 3, 4, 4), 0.75))


def test_an_image_of_the_models_size_keeps_its_pixels() -> None:
    images = torch.rand(1, 1, 3, 5)
    assert torch.equal(PixelInput(1, (3, 5), (0.0,), (1.0,)).prepare(images), images)


def test_a_model_takes_pixels_of_the_tasks_shape_and_passes_gradients_to_them(
    tmp_path: Path,
) -> None:
    base = locate_base(str(tiny_vit(tmp_path, num_channels=3)))
    model = LoadedBase(base, "images", NAMES, image=(1, 8, 8)).fresh(0, DRY, own_copy=False)
    images = torch.rand(2, 1, 8, 8, requires_grad=True)
    logits = model(pixel_values=images).logits
    assert logits.shape == (2, 2)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), images)
    assert (gradient != 0).all()


def test_the_preprocessors_settings_are_used_and_a_saved_model_is_a_plain_one(
    tmp_path: Path,
) -> None:
    tiny_vit(tmp_path)
    settings = {"image_mean": [0.25], "image_std": [0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    loaded = LoadedBase(locate_base(str(tmp_path)), "images", NAMES, image=(1, 16, 16))
    model = loaded.fresh(0, DRY, own_copy=True)
    images = torch.rand(2, 1, 16, 16)
    model.save_pretrained(tmp_path / "saved")
    plain = type(model).from_pretrained(tmp_path / "saved")
    torch.testing.assert_close(
        model(pixel_values=images).logits, plain(pixel_values=(images - 0.25) / 0.5).logits
    )


def test_images_of_other_channels_are_refused(tmp_path: Path) -> None:
    base = locate_base(str(tiny_vit(tmp_path)))
    with pytest.raises(ValueError, match="takes images of 1 channels, these have 3"):
        LoadedBase(base, "images", NAMES, image=(3, 16, 16))
    with pytest.raises(ValueError, match=r"give .channels, height, width."):
        LoadedBase(base, "images", NAMES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}), "image_mean and image_std"),
        (json.dumps({"image_mean": 0.5}), "image_mean and image_std"),
        ("{", "not readable as JSON"),
        ("[]", "holds no JSON object"),
    ],
)
def test_a_preprocessor_for_other_channels_or_none_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    tiny_vit(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(ValueError, match=rf"preprocessor_config\.json: {problem}"):
        LoadedBase(locate_base(str(tmp_path)), "images", NAMES, image=(1, 16, 16))
