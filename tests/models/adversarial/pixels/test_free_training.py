import numpy as np
import pytest
import torch

from models.adversarial.pixels.free_training import moved, shown
from models.catalog import complete
from models.data.loading import ImageSplits
from models.networks.cnn import CNN
from models.training.network_optimization import NetworkOptimization

CPU = torch.device("cpu")
ZERO = torch.zeros(2, 1, 1, 2)


def test_a_step_has_the_length_of_epsilon_and_stays_in_the_ball_around_zero() -> None:
    gradient = torch.tensor([[3.0, -0.1], [0.0, 2.0]]).reshape(2, 1, 1, 2)
    once = moved(ZERO, gradient, "linf", 0.1)
    assert once.flatten(1).tolist() == [pytest.approx([0.1, -0.1]), pytest.approx([0.0, 0.1])]
    assert torch.equal(moved(once, gradient, "linf", 0.1), once)  # already at the border
    back = moved(once, -gradient, "linf", 0.1)
    assert back.flatten(1).tolist() == [pytest.approx([0.0, 0.0]), pytest.approx([0.0, 0.0])]


def test_in_l2_the_step_follows_the_gradient_whatever_its_scale() -> None:
    gradient = torch.tensor([[3.0, -4.0], [0.0, 2.0]]).reshape(2, 1, 1, 2)
    once = moved(ZERO, gradient * 1e-20, "l2", 0.5)
    assert once.flatten(1).tolist() == [pytest.approx([0.3, -0.4]), pytest.approx([0.0, 0.5])]
    turned = moved(once, gradient.flip(0), "l2", 0.5)  # (0.3, -0.4) + (0, 0.5), and the other way
    assert turned.flatten(1).tolist() == [pytest.approx([0.3, 0.1])] * 2
    beyond = moved(once, gradient, "l2", 0.5)
    assert beyond.flatten(1).tolist() == [pytest.approx([0.3, -0.4]), pytest.approx([0.0, 0.5])]


def test_a_short_batch_moves_only_its_own_and_nan_moves_nothing() -> None:
    kept = torch.full((2, 1, 1, 2), 0.05)
    after = moved(kept, torch.tensor([[np.nan, 1.0]]).reshape(1, 1, 1, 2), "linf", 0.1)
    assert after.flatten(1).tolist() == [pytest.approx([0.05, 0.1]), pytest.approx([0.05, 0.05])]


def test_what_is_shown_is_an_image_and_collects_a_gradient() -> None:
    images = torch.tensor([[0.0, 0.95]]).reshape(1, 1, 1, 2)
    seen = shown(images, torch.full((2, 1, 1, 2), 0.1))
    assert seen.flatten().tolist() == pytest.approx([0.1, 1.0])
    assert seen.is_leaf and seen.requires_grad


def test_free_training_is_the_algorithm_of_its_paper(few_digits: ImageSplits) -> None:
    """Against a plain rewriting of it: one batch, two replays, two epochs, SGD without momentum."""
    values = {
        "adversarial_training": "free", "free.replays": 2, "free.epsilon": 0.2, "batch_size": 60,
        "width": 4, "fully_connected_width": 8, "optimizer": "sgd", "sgd.momentum": 0.0,
        "sgd.learning_rate": 0.1, "schedule": "constant", "weight_decay": 0.0,
    }  # fmt: skip
    configuration = complete("cnn", values)
    torch.manual_seed(0)
    model = CNN(configuration, (1, 8, 8), 10)
    learning = NetworkOptimization(
        model, configuration, few_digits, epochs=2, seed=3, norm="linf", device=CPU
    )
    torch.manual_seed(0)
    reference = CNN(configuration, (1, 8, 8), 10)
    images = torch.tensor(few_digits.train_images).float() / few_digits.scale
    labels = torch.tensor(few_digits.train_labels)
    noise = torch.zeros_like(images)
    for epoch in range(2):
        mixed = np.random.SeedSequence((3, epoch)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(mixed[0] >> np.uint64(1)))
        order = torch.randperm(60, generator=generator)
        for _ in range(2):
            seen = (images[order] + noise).clamp(0, 1).requires_grad_()
            loss = torch.nn.functional.cross_entropy(reference(seen), labels[order])
            reference.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in reference.parameters():
                    parameter -= 0.1 * parameter.grad
                noise = (noise + 0.2 * seen.grad.sign()).clamp(-0.2, 0.2)
        learning.epoch(epoch)
    for name, parameter in model.named_parameters():
        # Float32 rounds a sum of 60 gradients by another order; four steps of 0.1 add it up.
        assert torch.allclose(parameter, reference.get_parameter(name), atol=1e-5), name
    assert torch.allclose(
        learning.state_dict(ended=False)["learning"]["perturbation"], noise, atol=1e-6
    )


def test_the_schedule_counts_every_replay(few_digits: ImageSplits) -> None:
    values = {
        "adversarial_training": "free", "free.replays": 3, "batch_size": 20, "width": 4,
        "schedule": "cosine", "optimizer": "sgd", "sgd.learning_rate": 1e-3,
    }  # fmt: skip
    configuration = complete("cnn", values)
    torch.manual_seed(0)
    model = CNN(configuration, (1, 8, 8), 10)
    learning = NetworkOptimization(
        model, configuration, few_digits, epochs=2, seed=0, norm="linf", device=CPU
    )
    for epoch in range(2):
        learning.epoch(epoch)
    # 2 epochs of 3 batches make 18 steps; the last one begins at 17/18 of half a cosine.
    expected = 1e-3 * (1 + np.cos(np.pi * 17 / 18)) / 2
    assert learning.state_dict(ended=False)["learning"]["optimizer"]["param_groups"][0][
        "lr"
    ] == pytest.approx(expected)
