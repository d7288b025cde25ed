import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.evaluation import (
    DEFAULT,
    correct,
    fgsm_correct,
    fixed_subset,
    robust_correct,
)
from models.catalog import Threat
from models.cnn import CNN
from models.data import ImageSplits
from models.training import Training

THREAT = Threat(epsilon=0.05, steps=4)


@pytest.fixture(scope="module")
def trained(digits: ImageSplits) -> CNN:
    configuration = {"width": 16, "normalisation": "batch", "adamw.learning_rate": 0.005}
    training = Training(configuration, digits, epochs=5, seed=0, threat=Threat(steps=3))
    for _ in training.run():
        pass
    return training.model


@pytest.fixture(scope="module")
def examples(digits: ImageSplits) -> tuple[Tensor, Tensor]:
    images = torch.tensor(digits.validation_images[:120]).float() / digits.scale
    return images, torch.tensor(digits.validation_labels[:120])


class Scaled(nn.Module):
    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images) * self.factor


def test_accuracies_are_ordered_by_the_strength_of_the_attack(trained, examples) -> None:
    clean = correct(trained, *examples)
    once = fgsm_correct(trained, *examples, THREAT)
    robust = robust_correct(trained, *examples, THREAT, seed=0)
    assert clean.mean() > 0.9
    assert not (once & ~clean).any() and not (robust & ~clean).any()
    assert robust.mean() < once.mean() < clean.mean()


def test_the_worst_case_is_the_worst_of_each_attack(trained, examples) -> None:
    both = robust_correct(trained, *examples, THREAT, seed=0)
    alone = [robust_correct(trained, *examples, THREAT, seed=0, losses=[loss]) for loss in DEFAULT]
    assert np.array_equal(both, alone[0] & alone[1])


def test_more_restarts_and_targets_never_make_a_model_look_better(trained, examples) -> None:
    once = robust_correct(trained, *examples, THREAT, seed=0)
    losses = ("cross_entropy", "margin", "targeted_margin")
    more = robust_correct(trained, *examples, Threat(epsilon=0.05, steps=4, restarts=2), seed=0)
    targeted = robust_correct(trained, *examples, THREAT, seed=0, losses=losses)
    assert not (more & ~once).any() and not (targeted & ~once).any()


def test_scaling_the_logits_deceives_cross_entropy_but_not_the_margin(trained, examples) -> None:
    scaled = Scaled(trained, 1000.0)
    seen = robust_correct(trained, *examples, THREAT, seed=0, losses=["margin"])
    for factor in (30.0, 1000.0):
        same = robust_correct(Scaled(trained, factor), *examples, THREAT, seed=0, losses=["margin"])
        assert np.array_equal(seen, same)
    deceived = robust_correct(scaled, *examples, THREAT, seed=0, losses=["cross_entropy"])
    honest = robust_correct(trained, *examples, THREAT, seed=0, losses=["cross_entropy"])
    assert deceived.mean() > honest.mean() + 0.1
    worst = robust_correct(scaled, *examples, THREAT, seed=0)
    assert worst.mean() <= seen.mean()


def test_results_do_not_depend_on_the_size_of_a_batch(trained, examples, monkeypatch) -> None:
    whole = robust_correct(trained, *examples, THREAT, seed=0)
    monkeypatch.setattr("models.adversarial.evaluation._BATCH", 7)
    assert np.array_equal(robust_correct(trained, *examples, THREAT, seed=0), whole)


def test_evaluation_runs_in_eval_mode_and_restores_the_mode(examples) -> None:
    torch.manual_seed(0)
    model = CNN({"width": 4, "dropout": 0.5, "normalisation": "batch"}, (1, 8, 8), 10)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    results = [robust_correct(model.train(), *examples, THREAT, seed=0) for _ in range(2)]
    assert np.array_equal(*results) and model.training
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_model_that_is_never_right_is_not_attacked(examples) -> None:
    class Wrong(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert not images.requires_grad
            return torch.zeros(len(images), 10)

    assert not robust_correct(Wrong(), *examples, THREAT, seed=0).any()


def test_a_fixed_subset_follows_its_seed_and_holds_every_smaller_one() -> None:
    large, small = fixed_subset(1000, 200, seed=4), fixed_subset(1000, 50, seed=4)
    assert set(small) < set(large) and len(set(large)) == 200
    assert np.array_equal(large, fixed_subset(1000, 200, seed=4))
    assert not np.array_equal(large, fixed_subset(1000, 200, seed=5))
    assert np.array_equal(fixed_subset(5, 297, seed=0), np.arange(5))
