import torch

from models.training.augmentation import augment


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def spot(row: int, column: int) -> torch.Tensor:
    """An 8x8 image of two channels, black but for one pixel in each."""
    image = torch.zeros(2, 8, 8)
    image[0, row, column], image[1, row, column] = 1.0, 0.5
    return image


def places(images: torch.Tensor) -> set[tuple[int, int]]:
    return {tuple(index[1:].tolist()) for index in images[:, 0].nonzero()}


def test_shifts_reach_one_pixel_of_eight_in_each_direction() -> None:
    images = spot(3, 4).repeat(400, 1, 1, 1)
    shifted = augment(images, "shift", generator())
    assert shifted.shape == images.shape
    assert places(shifted) == {(r, c) for r in (2, 3, 4) for c in (3, 4, 5)}
    assert torch.equal(shifted[:, 1], shifted[:, 0] / 2)  # channels move together


def test_what_leaves_the_image_is_gone_and_what_comes_in_is_black() -> None:
    shifted = augment(spot(0, 0).repeat(400, 1, 1, 1), "shift", generator())
    assert places(shifted) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert (shifted.sum(dim=(1, 2, 3)) == 0).any()


def test_about_half_of_the_images_are_mirrored() -> None:
    flipped = augment(spot(3, 1).repeat(400, 1, 1, 1), "shift_flip", generator())
    assert places(flipped) == {(r, c) for r in (2, 3, 4) for c in (0, 1, 2, 5, 6, 7)}
    # 400 fair coins: five sigmas are 50, a false alarm in two million seeds (and ours is fixed).
    assert abs(int(flipped[..., 5:].sum(dim=(1, 2, 3)).gt(0).sum()) - 200) < 50


def test_none_returns_the_images_themselves() -> None:
    images = torch.rand(2, 1, 8, 8)
    assert augment(images, "none", generator()) is images
