import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_nearby import Nearby
from models.adversarial.checks.search_warnings import (
    GRADIENT_ERROR_MOST,
    JUMPS_MOST,
    VANISHED_MOST,
)
from models.adversarial.pixels import confirmation
from models.adversarial.pixels.confirmation import confirm
from models.adversarial.pixels.evaluation import correct, measure
from models.adversarial.threat_model import Threat
from tests.support.masked_networks import MASKED
from tests.support.tiny_classifiers import THREATS, Linear
from tests.support.tiny_classifiers import examples as tiny

SOUND = Nearby(jumps=0.0, gradient_error=0.0, vanished=0.0)
LINF, L2 = Threat(epsilon=0.1), Threat(norm="l2", epsilon=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("threat", [LINF, L2], ids=["linf", "l2"])
def test_a_robust_accuracy_without_masking_is_confirmed(threat: Threat, trained, examples) -> None:
    robust = measure(trained, *examples, threat, seed=0).robust
    found = confirm(trained, *examples, threat, robust, seed=0)
    assert found.examples == 120 and not found.is_replaced
    assert found.accuracy == pytest.approx(robust.mean() - found.gap)
    assert found.corrected == pytest.approx(robust.mean() - found.gap)


@pytest.mark.slow
@pytest.mark.parametrize("threat", [LINF, L2], ids=["linf", "l2"])
def test_an_accuracy_that_hides_errors_is_replaced(threat: Threat, trained, examples) -> None:
    images, labels = examples
    clean = correct(trained, images, labels)  # as an attack that finds nothing would have it
    found = confirm(trained, images, labels, threat, clean, seed=0)
    unmasked = measure(trained, images, labels, threat, seed=0).robust.mean()
    assert found.is_replaced
    # 0.03: what two attacks of about equal strength may differ by on 120 images (three of them).
    assert found.corrected <= unmasked + 0.03
    assert len(found.index) == round(found.gap * found.examples)
    assert not correct(trained, found.adversarial_examples, labels[found.index]).any()
    order = math.inf if threat.norm == "linf" else 2
    moved = (found.adversarial_examples - images[found.index]).flatten(1)
    assert (torch.linalg.vector_norm(moved, ord=order, dim=1) <= threat.epsilon + 1e-6).all()


def test_gap_and_error_are_a_share_of_the_attacked_examples(monkeypatch) -> None:
    # Of eight attacked images four were robust, and the attack misclassifies the first two of
    # those.
    images, labels = torch.zeros(8, 1, 2, 2), torch.zeros(8, dtype=torch.int64)
    robust = np.array([True, True, True, True, False, False, False, False])
    after = torch.tensor([False, False, True, True, False, False, False, False])
    monkeypatch.setattr(confirmation, "targeted_apgd", lambda *_: (after, images + 0.5))
    monkeypatch.setattr(confirmation, "_square", lambda *given, queries: (given[4], images))
    monkeypatch.setattr(confirmation, "nearby", lambda *_: SOUND)
    found = confirm(nn.Identity(), images, labels, Threat(), robust, seed=0)
    assert (found.examples, found.gap, found.accuracy) == (8, 0.25, 0.25)
    # The standard error is sqrt(0.25 * 0.75 / 8) = 0.153: 0.25 is less than twice that.
    assert not found.is_replaced
    assert found.corrected == 0.25 and found.index.tolist() == [0, 1]
    assert torch.equal(found.adversarial_examples, images[:2] + 0.5)


@pytest.mark.slow
def test_only_some_are_attacked_and_the_gap_counts_for_all(trained, examples) -> None:
    images, labels = examples
    clean = correct(trained, images, labels)
    threat = Threat(epsilon=0.1, confirm_examples=40)
    found = confirm(trained, images, labels, threat, clean, seed=3)
    assert found.examples == 40 and len(found.index) <= 40
    assert found.corrected == pytest.approx(clean.mean() - found.gap)
    again = confirm(trained, images, labels, threat, clean, seed=3)
    assert np.array_equal(found.index, again.index)


@pytest.mark.slow
def test_results_do_not_depend_on_the_size_of_a_batch(trained, examples, monkeypatch) -> None:
    clean = correct(trained, *examples)
    whole = confirm(trained, *examples, LINF, clean, seed=0)
    monkeypatch.setattr("models.adversarial.pixels.evaluation._BATCH", 17)
    monkeypatch.setattr("models.adversarial.pixels.square_attack._BATCH", 17)
    assert np.array_equal(confirm(trained, *examples, LINF, clean, seed=0).index, whole.index)


def test_what_has_fallen_already_is_not_attacked(examples, monkeypatch) -> None:
    class Untouched(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.zeros(len(images), 10)

    def no_attack(*_: object, **__: object) -> None:
        raise AssertionError("nothing is left to attack")

    monkeypatch.setattr(confirmation, "apgd", no_attack)
    monkeypatch.setattr(confirmation, "expectation_attack", no_attack)
    found = confirm(Untouched(), *examples, LINF, np.zeros(120, dtype=np.bool_), seed=0)
    assert (found.gap, found.accuracy, found.is_replaced, len(found.index)) == (0.0, 0.0, False, 0)


def attacks_run(monkeypatch, caught: int, around: Nearby) -> list[str]:
    """The attacks that run where Square, of few queries, catches so many of 32 images."""
    images, labels = torch.zeros(32, 1, 2, 2), torch.zeros(32, dtype=torch.int64)
    run: list[str] = []

    def square(*given: object, queries: int) -> tuple[Tensor, Tensor]:
        run.append(f"square {queries}, seed {given[5]}")
        return given[4] & (torch.arange(32) >= caught), images

    def expectation(*given: object) -> tuple[Tensor, Tensor]:
        run.append("expectation")
        return given[4], images

    monkeypatch.setattr(confirmation, "targeted_apgd", lambda *given: (given[4], images))
    monkeypatch.setattr(confirmation, "_square", square)
    monkeypatch.setattr(confirmation, "_expectation", expectation)
    monkeypatch.setattr(confirmation, "nearby", lambda *_: around)
    everything = np.ones(32, dtype=np.bool_)
    found = confirm(nn.Identity(), images, labels, Threat(), everything, seed=0)
    assert found.black_box == (caught / 32 if caught >= 4 else 0.0)
    return run


def test_only_a_trial_that_masks_something_pays_for_long_attacks(monkeypatch) -> None:
    short = f"square {confirmation._QUERIES}, seed 0"
    long = f"square {confirmation._MANY_QUERIES}, seed 0"
    assert attacks_run(monkeypatch, 0, SOUND) == [short]
    # McNemar: three of three discordant images are within two standard errors, four are not.
    assert attacks_run(monkeypatch, 3, SOUND) == [short]
    again = f"square {confirmation._MANY_QUERIES}, seed 1"  # other squares than the first
    assert attacks_run(monkeypatch, 4, SOUND) == [short, again]
    wrong = replace(SOUND, gradient_error=GRADIENT_ERROR_MOST + 0.01)
    assert attacks_run(monkeypatch, 0, wrong) == [long]
    assert attacks_run(monkeypatch, 4, wrong) == [long]
    flat = replace(SOUND, vanished=VANISHED_MOST + 0.01)
    assert attacks_run(monkeypatch, 0, flat) == [short]  # Square sees no slope there either
    jumping = replace(SOUND, jumps=JUMPS_MOST + 0.01)
    assert attacks_run(monkeypatch, 0, jumping) == [long, "expectation"]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_two_classes_both_norms_and_half_precision_are_confirmed(
    norm: str, classes: int, dtype: torch.dtype
) -> None:
    class Half(nn.Module):
        def __init__(self, is_blind: bool = False) -> None:
            super().__init__()
            self.linear, self.is_blind = Linear(classes).to(dtype), is_blind

        def forward(self, images: Tensor) -> Tensor:
            shown = images.detach() + 0 * images if self.is_blind else images
            return self.linear(shown.to(dtype))

    images, labels = tiny(classes)
    threat = THREATS[norm]
    robust = measure(Half(), images, labels, threat, seed=0).robust
    found = confirm(Half(), images, labels, threat, robust, seed=0)
    # PGD is exact on a linear model, and rounding to bfloat16 moves no logit by more than 1 %.
    assert not found.is_replaced and found.corrected == pytest.approx(robust.mean())
    assert found.nearby.jumps == found.nearby.vanished == 0
    assert found.nearby.gradient_error < GRADIENT_ERROR_MOST
    everything = np.ones(len(labels), dtype=np.bool_)
    hidden = confirm(Half(is_blind=True), images, labels, threat, everything, seed=0)
    assert hidden.is_replaced and hidden.nearby.gradient_error > GRADIENT_ERROR_MOST


def test_errors_that_gradients_hide_are_found_and_replace_the_accuracy(trained, examples) -> None:
    images, labels = examples
    hidden = MASKED["zero gradient"]([trained]).eval()
    clean = correct(hidden, images, labels)
    found = confirm(hidden, images, labels, LINF, clean, seed=0)
    unmasked = measure(trained, images, labels, LINF, seed=0).robust.mean()
    assert found.is_replaced and found.black_box > 0
    assert abs(found.corrected - unmasked) <= 0.05  # the goal; six of 120 images
    assert not correct(hidden, found.adversarial_examples, labels[found.index]).any()
    moved = (found.adversarial_examples - images[found.index]).abs()
    assert float(moved.max()) <= LINF.epsilon + 1e-6


def test_flags_and_images_must_agree(trained, examples) -> None:
    with pytest.raises(ValueError, match="7 flags for 120 images"):
        confirm(trained, *examples, LINF, np.ones(7, dtype=np.bool_), seed=0)
