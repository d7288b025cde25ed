import math

import foolbox
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import (
    Ball,
    cross_entropy,
    fgsm,
    keep_worst,
    margin,
    margin_loss,
    pgd,
    scaled_cross_entropy,
    slope,
    step,
    targeted_margin_loss,
)
from models.catalog import Value, complete
from models.networks.cnn import CNN

NORMS = ("linf", "l2")


class Linear(nn.Module):
    """Two classes from two pixels by hand: logits are (x0 - 2 x1 + 0.3, 0)."""

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return torch.stack([flat[:, 0] - 2 * flat[:, 1] + 0.3, torch.zeros(len(flat))], dim=1)


def pixels(first: float, second: float) -> Tensor:
    return torch.tensor([first, second]).reshape(1, 1, 1, 2)


def network(seed: int = 0, **configuration: Value) -> CNN:
    torch.manual_seed(seed)
    return CNN(complete("cnn", {"width": 4, **configuration}), (1, 8, 8), 10).eval()


def batch(n: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(n, 1, 8, 8, generator=generator)
    return images, torch.randint(0, 10, (n,), generator=generator)


def test_fgsm_on_a_linear_model_moves_each_pixel_by_epsilon() -> None:
    # Class 0 falls as x0 falls and x1 rises.
    attacked = fgsm(Linear(), torch.tensor([0]), Ball(pixels(0.5, 0.4), "linf", 0.1))
    torch.testing.assert_close(attacked, pixels(0.4, 0.5))


def test_fgsm_in_l2_moves_along_the_gradient() -> None:
    attacked = fgsm(Linear(), torch.tensor([0]), Ball(pixels(0.5, 0.4), "l2", 0.1))
    unit = 0.1 / math.sqrt(5)  # the direction is (-1, 2) / sqrt(5)
    torch.testing.assert_close(attacked, pixels(0.5 - unit, 0.4 + 2 * unit))


def test_an_attack_stops_at_the_border_of_the_box() -> None:
    attacked = fgsm(Linear(), torch.tensor([0]), Ball(pixels(0.05, 0.98), "linf", 0.1))
    torch.testing.assert_close(attacked, pixels(0.0, 1.0))


@pytest.mark.parametrize("loss", [cross_entropy, margin_loss])
def test_pgd_finds_the_smallest_margin_of_a_linear_model(loss) -> None:
    label, images = torch.tensor([0]), pixels(0.5, 0.1)
    # The margin 0.5 - 0.2 + 0.3 = 0.6 falls by epsilon * |w|_1 = 0.1 * 3 in L-infinity,
    # and by epsilon * |w|_2 = 0.1 * sqrt(5) in L2.
    for norm, smallest in (("linf", 0.3), ("l2", 0.6 - 0.1 * math.sqrt(5))):
        _, found = pgd(
            Linear(), label, Ball(images, norm, 0.1), steps=10, step_size=0.03, loss=loss
        )
        assert found.item() == pytest.approx(smallest, abs=1e-6)


def test_falling_steps_shorten_in_equal_parts() -> None:
    # Two steps of 0.02 and 0.01 along the signs (-1, 1), then three of 0.02, 0.0133 and 0.0067.
    ball = Ball(pixels(0.5, 0.4), "linf", 0.1)
    for steps, moved in ((2, 0.03), (3, 0.04)):
        found, _ = pgd(
            Linear(), torch.tensor([0]), ball, steps=steps, step_size=0.02, is_falling=True
        )
        torch.testing.assert_close(found, pixels(0.5 - moved, 0.4 + moved))


@pytest.mark.parametrize("scale", [1e-30, 2.0**-10, 1.0, 1000.0, 1e30])
def test_scaled_cross_entropy_is_that_of_logits_with_a_range_of_15(scale: float) -> None:
    logits = torch.tensor([[3.0, 1.0, -2.0], [-1.0, 4.0, 4.0]]) * scale
    labels = torch.tensor([0, 0])
    # The ranges are 5 of 3, 1, -2 and 5 of -1, 4, 4: both are stretched by 3.
    expected = cross_entropy(torch.tensor([[9.0, 3.0, -6.0], [-3.0, 12.0, 12.0]]), labels)
    torch.testing.assert_close(scaled_cross_entropy(logits, labels), expected)


@pytest.mark.parametrize("level", [0.0, 1e30])
def test_scaled_cross_entropy_of_equal_logits_is_that_of_chance(level: float) -> None:
    logits = torch.full((1, 4), level, requires_grad=True)
    value = scaled_cross_entropy(logits, torch.tensor([2]))
    assert value.item() == pytest.approx(math.log(4))


def test_the_largest_gap_leaves_scaled_cross_entropy_a_gradient() -> None:
    # Confident beyond what float32 says of probabilities: the plain one's gradient is exactly 0.
    logits, label = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True), torch.tensor([0])
    (plain,) = torch.autograd.grad(cross_entropy(logits, label).sum(), logits)
    (scaled,) = torch.autograd.grad(scaled_cross_entropy(logits, label).sum(), logits)
    assert not plain.any() and (scaled.sign() == torch.tensor([[-1.0, 1.0, 1.0]])).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_steepest_direction_in_l2_survives_any_scale(scale: float) -> None:
    # The squares of 3e-30 and 4e30 are no numbers of float32.
    steepest = Ball(pixels(0.5, 0.5), "l2", 0.1).steepest(pixels(3.0, -4.0) * scale)
    torch.testing.assert_close(steepest, pixels(0.6, -0.8))
    assert not Ball(pixels(0.5, 0.5), "l2", 0.1).steepest(pixels(0.0, 0.0)).any()


def test_the_margin_is_positive_if_and_only_if_correct() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    assert margin(logits, torch.tensor([0, 2, 0])).tolist() == [1.0, -2.0, 0.0]
    targeted = targeted_margin_loss(torch.tensor([2, 1, 1]))
    assert targeted(logits, torch.tensor([0, 2, 0])).tolist() == [-2.0, 1.0, 0.0]


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_agrees_with_foolbox(norm: str) -> None:
    model, (images, labels) = network(), batch()
    oracle = {"linf": foolbox.attacks.FGSM, "l2": foolbox.attacks.FGM}[norm]()
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, expected, _ = oracle(wrapped, images, labels, epsilons=0.2)
    torch.testing.assert_close(fgsm(model, labels, Ball(images, norm, 0.2)), expected)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.7)])
def test_pgd_agrees_with_foolbox_from_the_same_start(norm: str, epsilon: float) -> None:
    model, (images, labels) = network(), batch()
    attacks = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}
    oracle = attacks[norm](steps=7, abs_stepsize=epsilon / 4, random_start=False)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    expected = oracle.run(wrapped, images, foolbox.criteria.Misclassification(labels),
                          epsilon=epsilon)  # fmt: skip
    ball, ours = Ball(images, norm, epsilon), images
    for _ in range(7):
        ours, _ = step(model, ours, labels, ball, epsilon / 4, cross_entropy)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)
    # Foolbox returns the last iterate; ours is the best one, so never has a larger margin.
    _, best = pgd(model, labels, ball, steps=7, step_size=epsilon / 4)
    assert (best <= margin(model(expected), labels) + 1e-5).all()


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.7)])
@pytest.mark.parametrize("loss", [cross_entropy, margin_loss])
def test_what_pgd_returns_lies_in_ball_and_box(norm: str, epsilon: float, loss) -> None:
    model, (images, labels) = network(), batch()
    images = images.round(decimals=0)  # at the border of the box, where clipping works hardest
    ball = Ball(images, norm, epsilon)
    start = ball.noise(torch.Generator().manual_seed(0)) * 3  # outside, to be brought in
    best, _ = pgd(model, labels, ball, steps=4, step_size=epsilon, start=start, loss=loss)
    order = math.inf if norm == "linf" else 2
    sizes = torch.linalg.vector_norm((best - images).flatten(1), ord=order, dim=1)
    assert (sizes <= epsilon * (1 + 1e-5)).all() and (sizes > 0).all()
    assert best.min() >= 0 and best.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_noise_fills_the_ball_uniformly(norm: str) -> None:
    noise = Ball(torch.zeros(4000, 1, 1, 2), norm, 0.5).noise(torch.Generator().manual_seed(0))
    order = math.inf if norm == "linf" else 2
    sizes = torch.linalg.vector_norm(noise.flatten(1), ord=order, dim=1)
    assert sizes.max() <= 0.5
    # In two dimensions a quarter of the volume lies within half the radius; five sigmas of a
    # binomial share with n = 4000 are 0.034.
    assert abs((sizes < 0.25).float().mean().item() - 0.25) < 0.034


@pytest.mark.parametrize("norm", NORMS)
def test_what_an_example_meets_does_not_depend_on_its_batch(norm: str) -> None:
    model, (images, labels) = network(), batch()
    ball = Ball(images, norm, 0.3)
    start = ball.noise(torch.Generator().manual_seed(0))
    _, together = pgd(model, labels, ball, steps=5, step_size=0.1, start=start, loss=margin_loss)
    for index in torch.split(torch.arange(24), 5):
        _, alone = pgd(model, labels[index], ball.at(index), steps=5, step_size=0.1,
                       start=start[index], loss=margin_loss)  # fmt: skip
        torch.testing.assert_close(alone, together[index], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_a_pixel_that_is_not_finite_is_projected_to_the_clean_one(norm: str) -> None:
    ball = Ball(pixels(0.5, 0.4), norm, 0.1)  # type: ignore[arg-type]
    for value in (math.nan, math.inf, -math.inf):
        torch.testing.assert_close(ball.project(pixels(value, 0.45)), pixels(0.5, 0.45))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_entry_of_the_gradient_that_is_not_finite_is_no_direction(
    norm: str, value: float
) -> None:
    ball = Ball(pixels(0.5, 0.4), norm, 0.1)  # type: ignore[arg-type]
    torch.testing.assert_close(ball.steepest(pixels(value, -3.0)), pixels(0.0, -1.0))
    torch.testing.assert_close(ball.steepest(pixels(value, math.nan)), pixels(0.0, 0.0))


def test_nan_is_the_smallest_margin_whatever_comes_after_it() -> None:
    best, found = pixels(0.1, 0.1), torch.tensor([math.nan])
    for later in (-1.0, 5.0):
        kept, smallest = keep_worst(best, found, pixels(0.2, 0.2), torch.tensor([later]))
        assert torch.equal(kept, best) and bool(smallest.isnan())
    kept, smallest = keep_worst(pixels(0.2, 0.2), torch.tensor([-9.0]), best, found)
    assert torch.equal(kept, best) and bool(smallest.isnan())


@pytest.mark.parametrize("logits", [(math.inf, 0), (math.nan, 0), (2, -math.inf), (2, math.nan)])
def test_logits_that_are_not_finite_have_no_margin(logits: tuple[float, float]) -> None:
    assert bool(margin(torch.tensor([logits]), torch.tensor([0])).isnan().all())


def test_a_slope_says_which_images_have_a_gradient() -> None:
    images = torch.cat([pixels(0.0, 0.5), pixels(0.5, 0.5)])

    class Root(Linear):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images.sqrt())  # its derivative at 0 is infinite

    at = slope(Root(), images, torch.zeros(2, dtype=torch.int64), margin_loss)
    assert at.is_usable.tolist() == [False, True] and at.missing == ""


def test_an_error_of_the_forward_pass_is_not_taken_for_a_missing_gradient() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        slope(nn.Linear(3, 2), pixels(0.0, 0.5).flatten(1), torch.tensor([0]), margin_loss)


@pytest.mark.parametrize(
    "message",
    [
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 4194304000000 bytes.",
        "CUDA error: an illegal memory access was encountered",
        "CUDA out of memory. Tried to allocate 20.00 GiB.",
    ],
)
def test_an_error_of_the_device_is_not_taken_for_a_missing_gradient(message: str) -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, images):
            return images.flatten(1)

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match=message[:10].replace("[", r"\[")):
        slope(Fails.apply, torch.rand(2, 1, 2, 2), torch.tensor([0, 1]), margin_loss)
