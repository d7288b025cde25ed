"""The work of passes, by hand: a forward pass, twice that for weights, once for inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, pgd
from models.data.loading import ImageSplits
from models.training.work import WorkMeter
from tests.support.image_trainings import train

LINEAR = 2 * 10 * 3  # products and sums of (10,) times (10, 3)
# 3x3 filters from one channel to two at 8x8 places, then (128,) times (128, 3).
SMALL_CNN = 2 * 9 * 2 * 64 + 2 * 128 * 3


def small_cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))


def work_of(
    act: Callable[[], object], *networks: nn.Module, meter: WorkMeter | None = None
) -> float:
    with (meter or WorkMeter(*networks)).counting() as work:
        act()
    return work.flop


def backward(loss: Tensor) -> None:
    torch.autograd.backward(loss)


def gradient(network: nn.Module, inputs: Tensor) -> None:
    """Takes the gradient of the inputs alone, as an attack does."""
    inputs = inputs.detach().requires_grad_()
    torch.autograd.grad(network(inputs).sum(), inputs)


@torch.no_grad()
def predict(network: nn.Module, inputs: Tensor) -> None:
    network(inputs)


@pytest.mark.parametrize(
    ("network", "shape", "forward"), [(nn.Linear(10, 3), (10,), LINEAR),
                                      (small_cnn(), (1, 8, 8), SMALL_CNN)],
)  # fmt: skip
def test_a_prediction_costs_one_pass_an_attack_step_two_and_a_training_step_three(
    network: nn.Module, shape: tuple[int, ...], forward: int
) -> None:
    inputs = torch.randn(4, *shape)
    assert work_of(lambda: predict(network, inputs), network) == 4 * forward
    assert work_of(lambda: gradient(network, inputs), network) == 4 * 2 * forward
    assert work_of(lambda: backward(network(inputs).sum()), network) == 4 * 3 * forward


def test_a_forward_pass_whose_gradients_nobody_takes_costs_one() -> None:
    network = nn.Linear(10, 3)
    assert work_of(lambda: network(torch.randn(4, 10)), network) == 4 * LINEAR


def test_two_passes_may_share_a_backward_pass() -> None:
    """As the clean and the attacked images of TRADES do."""
    network = nn.Linear(10, 3)

    def act() -> None:
        backward(network(torch.randn(4, 10)).sum() + network(torch.randn(6, 10)).sum())

    assert work_of(act, network) == 10 * 3 * LINEAR


def test_an_attack_before_a_training_step_is_not_counted_as_training() -> None:
    network = nn.Linear(10, 3)

    def act() -> None:
        gradient(network, torch.randn(4, 10))
        backward(network(torch.randn(4, 10)).sum())

    assert work_of(act, network) == 4 * (2 + 3) * LINEAR


def test_gradients_of_weights_cost_the_share_of_weights_that_train() -> None:
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    network[0].requires_grad_(False)
    work = work_of(lambda: backward(network(torch.randn(1, 4)).sum()), network)
    assert work == 2 * (2 * 4 * 4) * (1 + 1 + 0.5)


def test_pgd_costs_two_passes_a_step_and_one_for_its_last_point() -> None:
    network, images = small_cnn(), torch.rand(5, 1, 8, 8)

    def attack() -> None:
        labels = torch.zeros(5, dtype=torch.int64)
        pgd(network, labels, Ball(images, "linf", 0.1), steps=7, step_size=0.05)

    assert work_of(attack, network) == 5 * (7 * 2 + 1) * SMALL_CNN


PGD = {"adversarial_training": "pgd", "pgd.steps": 3}


@pytest.mark.parametrize(
    ("method", "passes"),
    [({"adversarial_training": "none"}, 3), ({"adversarial_training": "fgsm"}, 2 + 3),
     (PGD, 3 * 2 + 3), ({"adversarial_training": "trades", "trades.steps": 2}, 1 + 2 * 2 + 2 * 3),
     ({"adversarial_training": "mart", "mart.steps": 2}, 2 * 2 + 2 * 3),
     ({"adversarial_training": "free", "free.replays": 4}, 4 * 3)],
)  # fmt: skip
def test_an_epoch_is_examples_times_passes_times_the_cost_of_a_pass(
    few_digits: ImageSplits, method: dict[str, Any], passes: int
) -> None:
    """Of plain training, all passes of the small CNN's epoch are training steps."""
    share = {"adversarial_share": 1.0} if method["adversarial_training"] in ("fgsm", "pgd") else {}
    plain, attacked = (
        next(train({"width": 4, "batch_size": 16, **changes}, few_digits).run())["work.train"]
        for changes in ({}, method | share)
    )
    assert plain % (3 * len(few_digits.train_labels)) == 0
    assert attacked == plain / 3 * passes


def test_an_average_of_the_weights_is_evaluated_as_any_model(few_digits: ImageSplits) -> None:
    training = train({"width": 4, "weight_averaging": "ema"}, few_digits)
    entry = next(training.run())
    forward = entry["work.train"] / (3 * len(few_digits.train_labels))
    assert entry["work.evaluation"] > forward * len(training.examples("selection")[1])


def test_counting_changes_no_result_and_leaves_no_hook() -> None:
    network, inputs = small_cnn(), torch.randn(4, 1, 8, 8)
    expected = network(inputs)
    with WorkMeter(network).counting():
        measured, counted = network(inputs), network(inputs)
    assert torch.equal(measured, expected) and torch.equal(counted, expected)
    assert not network._forward_hooks and not network._forward_pre_hooks
    assert not any(each._backward_hooks for each in network.parameters())


def test_a_pass_that_raises_is_not_counted() -> None:
    network = nn.Linear(10, 3)
    meter = WorkMeter(network)
    with meter.counting() as work, pytest.raises(RuntimeError, match="shapes"):
        network(torch.randn(4, 7))
    assert work.flop == 0
    assert work_of(lambda: predict(network, torch.randn(4, 10)), meter=meter) == 4 * LINEAR


def test_costs_of_shapes_are_restored_so_that_no_order_of_passes_matters() -> None:
    """Half of this network's work does not depend on the number of examples."""

    class Affine(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs) + (self.weight @ self.weight.T).sum()

    network = Affine(10, 3)
    first, later = WorkMeter(network), WorkMeter(network)
    with first.counting():
        predict(network, torch.randn(2, 10))
    later.load_state_dict(first.state_dict())
    small, large = (
        work_of(lambda: predict(network, torch.randn(8, 10)), meter=each) for each in (first, later)
    )
    assert small == large


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # Two layers, ten vectors: four gates of 16 from 8 or 16 inputs, and from 16 hidden values.
        (nn.LSTM(8, 16, 2, batch_first=True), 2 * 10 * (64 * 8 + 64 * 16 + 64 * 16 + 64 * 16)),
        # Queries, keys, values and output, two dense layers; 5 by 5 products of width 8, twice.
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
         2 * 10 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 2 * 2 * 25 * 8),
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_gradients", [True, False])
def test_fused_kernels_are_counted_like_the_products_in_them(
    layer: nn.Module, expected: int, with_gradients: bool
) -> None:
    """Without gradients PyTorch takes other kernels."""
    layer.eval()
    with torch.set_grad_enabled(with_gradients):
        assert work_of(lambda: layer(torch.randn(2, 5, 8)), layer) == expected
