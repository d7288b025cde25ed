import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.pixels.attacks import Ball, pgd, targeted_margin_loss
from models.adversarial.pixels.evaluation import (
    DEFAULT,
    Replay,
    correct,
    evaluating,
    fgsm_correct,
    fixed_subset,
    measure,
    robust_correct,
    wrong_classes,
)
from models.catalog import Threat
from tests.support.broken_defences import Scaled

THREAT = Threat(epsilon=0.05, steps=4)
L2 = Threat(norm="l2", epsilon=0.3, steps=4)


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


@pytest.mark.slow
def test_falling_steps_break_more_than_as_many_of_one_length(trained, examples) -> None:
    images, labels = examples
    threat, losses = Threat(norm="l2", epsilon=0.5), ["targeted_margin"]
    falling = robust_correct(trained, images, labels, threat, 0, losses=losses)
    ball, constant = Ball(images, "l2", 0.5), correct(trained, images, labels)
    start = ball.noise(torch.Generator().manual_seed(0))
    for target in wrong_classes(trained, images, labels):
        _, margins = pgd(trained, labels, ball, steps=10, step_size=0.125, start=start,
                         loss=targeted_margin_loss(target))  # fmt: skip
        constant &= (margins > 0).numpy()
    assert falling.mean() <= constant.mean()


@pytest.mark.slow
def test_more_restarts_and_targets_never_make_a_model_look_better(trained, examples) -> None:
    once = robust_correct(trained, *examples, THREAT, seed=0)
    losses = ("cross_entropy", "margin", "targeted_margin")
    more = robust_correct(trained, *examples, Threat(epsilon=0.05, steps=4, restarts=2), seed=0)
    targeted = robust_correct(trained, *examples, THREAT, seed=0, losses=losses)
    assert not (more & ~once).any() and not (targeted & ~once).any()


def test_scaling_the_logits_deceives_cross_entropy(trained, examples) -> None:
    scaled = Scaled(trained, 1000.0)
    deceived = robust_correct(scaled, *examples, THREAT, seed=0, losses=["cross_entropy"])
    unmasked = robust_correct(trained, *examples, THREAT, seed=0, losses=["cross_entropy"])
    assert deceived.mean() > unmasked.mean() + 0.1


# Floating point has no other factors that change nothing: by these every logit and every gradient
# is multiplied without rounding.
@pytest.mark.parametrize("threat", [THREAT, L2], ids=["linf", "l2"])
@pytest.mark.parametrize("factor", [2.0**-10, 32.0, 1024.0])
def test_a_power_of_two_leaves_every_step_up_the_margins_as_it_was(
    factor: float, threat: Threat, trained, examples
) -> None:
    alone = measure(trained, *examples, threat, 0, losses=["targeted_margin"])
    scaled = measure(Scaled(trained, factor), *examples, threat, 0, losses=["targeted_margin"])
    assert np.array_equal(alone.robust, scaled.robust)
    assert torch.equal(alone.adversarial_examples, scaled.adversarial_examples)


# Other factors round gradients at 1e-7 of their size, which turns the sign of an entry that is as
# near to 0. A flag then changes only if its margin is near 0 too: of the margins alone 0 of 15,000
# did (five networks, two norms, 300 images, five factors), of the whole attack 0 of 4,800.
@pytest.mark.slow
@pytest.mark.parametrize("threat", [THREAT, L2], ids=["linf", "l2"])
@pytest.mark.parametrize("factor", [1e-3, 30.0, 1000.0])
def test_no_scale_of_the_logits_changes_margin_accuracy_or_the_whole_by_a_point(
    factor: float, threat: Threat, trained, examples
) -> None:
    model = Scaled(trained, factor)
    for losses in (["margin"], ["targeted_margin"]):
        alone = robust_correct(trained, *examples, threat, seed=0, losses=losses)
        scaled = robust_correct(model, *examples, threat, seed=0, losses=losses)
        assert np.array_equal(alone, scaled)
    whole = robust_correct(trained, *examples, threat, seed=0).mean()
    assert abs(robust_correct(model, *examples, threat, seed=0).mean() - whole) <= 0.01


@pytest.mark.slow
def test_results_do_not_depend_on_the_size_of_a_batch(trained, examples, monkeypatch) -> None:
    whole = robust_correct(trained, *examples, THREAT, seed=0)
    monkeypatch.setattr("models.adversarial.pixels.evaluation._BATCH", 7)
    assert np.array_equal(robust_correct(trained, *examples, THREAT, seed=0), whole)


class Quantised(nn.Module):
    """Rounds pixels to 16 levels: it hides every gradient and changes no image of digits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model((images * 16).round() / 16 + 0 * images)


@pytest.mark.slow
@pytest.mark.parametrize("threat", [Threat(), Threat(norm="l2", epsilon=0.5)], ids=["linf", "l2"])
def test_a_masked_gradient_does_not_hide_what_anothers_found(
    threat: Threat, trained, examples
) -> None:
    hidden, found = Quantised(trained), measure(trained, *examples, threat, seed=0)
    index = torch.from_numpy(found.misclassified)
    replay = Replay(index, found.adversarial_examples[index])
    alone = robust_correct(hidden, *examples, threat, seed=0)
    shown = measure(hidden, *examples, threat, seed=0, replays=[replay])
    assert not (shown.robust & ~alone).any(), "replays only ever break more"
    assert shown.robust.mean() < alone.mean() - 0.1
    assert np.array_equal(correct(hidden, shown.adversarial_examples, examples[1]), shown.robust)


def test_what_is_replayed_is_brought_into_the_ball_first(trained, examples) -> None:
    images, labels = examples
    far = measure(trained, images, labels, Threat(epsilon=0.3), seed=0)
    replay = Replay(
        torch.from_numpy(far.misclassified), far.adversarial_examples[far.misclassified]
    )
    near = measure(trained, images, labels, THREAT, 0, losses=[], replays=[replay])
    assert (near.adversarial_examples - images).abs().max() <= THREAT.epsilon + 1e-6
    assert far.robust.mean() < near.robust.mean() < far.clean.mean()


@pytest.mark.slow
def test_replays_of_what_a_model_withstands_change_nothing(trained, examples) -> None:
    replay = Replay(torch.arange(120), examples[0])
    without = measure(trained, *examples, THREAT, seed=0)
    shown = measure(trained, *examples, THREAT, seed=0, replays=[replay])
    assert np.array_equal(without.robust, shown.robust)


def test_a_new_wrapper_does_not_put_a_trained_model_into_training_mode(trained, examples) -> None:
    wrapper = Scaled(trained, 2.0)
    correct(wrapper, *examples)
    assert wrapper.training and not any(part.training for part in trained.modules())


@pytest.mark.parametrize("context", [evaluating, preserve_state])
def test_a_networks_own_train_is_called_after_an_evaluation(context) -> None:
    """It may undo what its `eval` did, as code that merges low-rank updates for inference."""

    class Merging(nn.Module):
        merged = False

        def train(self, mode: bool = True) -> "Merging":
            self.merged = not mode
            return super().train(mode)

    model = Merging()
    with context(model):
        assert model.merged and not model.training
    assert model.training and not model.merged


def test_convolutions_are_evaluated_in_true_float32(examples) -> None:
    class Watching(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert not torch.backends.cudnn.allow_tf32
            return functional.one_hot(examples[1][: len(images)], 10) + 0 * images.sum()

    before = torch.backends.cudnn.allow_tf32
    assert measure(Watching(), *examples, THREAT, seed=0).clean.all()
    assert torch.backends.cudnn.allow_tf32 == before


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
