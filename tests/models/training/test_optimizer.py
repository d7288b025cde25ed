import math

import pytest
import torch

from models.catalog import complete
from models.networks.cnn import CNN
from models.training.optimizer import build_optimizer, learning_rate, weight_decay


def test_weight_decay_spares_biases_and_normalisation() -> None:
    configuration = complete("cnn", {"weight_decay": 0.3, "normalisation": "batch"})
    optimizer = build_optimizer(CNN(configuration, (1, 8, 8), 3), configuration)
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.3 and {p.dim() for p in decayed["params"]} == {2, 4}
    assert spared["weight_decay"] == 0.0 and {p.dim() for p in spared["params"]} == {1}


@pytest.mark.parametrize("method", ["none", "fgsm", "pgd", "trades", "mart", "free"])
def test_adversarial_training_has_a_weight_decay_of_its_own_and_plain_training_none(
    method: str,
) -> None:
    values = {"adversarial_training": method, "weight_decay": 0.3, "adversarial_weight_decay": 0.5}
    configuration = complete("cnn", values)
    optimizer = build_optimizer(CNN(configuration, (1, 8, 8), 3), configuration)
    expected = 0.3 if method == "none" else 0.5
    assert [group["weight_decay"] for group in optimizer.param_groups] == [expected, 0.0]
    del values["adversarial_weight_decay"]  # as before there was one
    assert weight_decay(complete("cnn", values)) == 0.3


def test_sgd_uses_nesterov_only_with_momentum() -> None:
    for momentum in (0.0, 0.9):
        configuration = complete("cnn", {"optimizer": "sgd", "sgd.momentum": momentum})
        group = build_optimizer(CNN(configuration, (1, 8, 8), 3), configuration).param_groups[0]
        assert (group["momentum"], group["nesterov"]) == (momentum, momentum > 0)


def rates(schedule: str) -> list[float]:
    configuration = complete("cnn", {"schedule": schedule, "adamw.learning_rate": 0.1})
    return [learning_rate(configuration, step / 100) for step in range(100)]


def test_schedules_have_their_known_shapes() -> None:
    assert set(rates("constant")) == {0.1}
    cosine = rates("cosine")
    assert cosine[0] == 0.1
    assert cosine[50] == pytest.approx(0.05)
    assert cosine[25] == pytest.approx(0.05 * (1 + math.sqrt(0.5)))
    thirds = [0.1] * 50 + [0.01] * 25 + [0.001] * 25
    assert rates("step") == pytest.approx(thirds)


@pytest.mark.parametrize(
    ("start", "epochs", "falls"),
    [(None, 200, (100, 150)), (100 / 110, 110, (100, 105)), (0.7, 30, (21, 25.5))],
    ids=["Rice et al. 2020", "Pang et al. 2021", "neither"],
)
@pytest.mark.parametrize("batches", [1, 7, 390])
def test_steps_fall_at_the_epochs_of_the_papers(
    start: float | None, epochs: int, falls: tuple[float, float], batches: int
) -> None:
    """At the first step of the epoch that they name, at 0.1, 0.01 and 0.001 of SGD."""
    values = {"optimizer": "sgd", "sgd.learning_rate": 0.1, "schedule": "step"}
    configuration = complete("cnn", values | ({} if start is None else {"step.start": start}))
    steps = epochs * batches
    for step in range(steps):
        expected = 0.1 / 10 ** sum(step >= epoch * batches for epoch in falls)
        assert learning_rate(configuration, step / steps) == pytest.approx(expected), step


def test_one_cycle_follows_pytorchs() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    # PyTorch spreads the rise over 0.3 * 101 - 1 steps; ours over 30: the same on 101 points.
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=101, pct_start=31 / 101, final_div_factor=1e5 / 25
    )
    for rate in rates("one_cycle"):
        assert rate == pytest.approx(reference.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        reference.step()
