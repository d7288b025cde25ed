"""AutoAttack's results are verified, for every number of classes."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest
import torch

from models.adversarial.pixels import autoattack as module
from models.adversarial.pixels.attacks import Ball
from models.adversarial.pixels.autoattack import STANDARD, autoattack, is_installed, standard_parts
from models.adversarial.threat_model import Threat
from tests.support.tiny_classifiers import Nearest, flat

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs the extra 'autoattack'")
THREAT = Threat(epsilon=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "norm"),
    [
        (2, "linf"), (2, "l2"), (3, "l2"), (10, "linf"),
        *(pytest.param(*pair, marks=pytest.mark.long)
          for pair in ((3, "linf"), (4, "linf"), (4, "l2"), (10, "l2"))),
    ],
)  # fmt: skip
def test_what_can_be_misclassified_is_and_what_cannot_is_not(classes: int, norm: str) -> None:
    # The border between classes 0 and 1 is half way; 0.02 before it, and 0.3 of that way.
    border = 0.5 / (classes - 1)
    images, labels = flat(border - 0.02, 0.0, 1.0), torch.tensor([0, 0, 0])
    # In L2 an even change of 0.03 has norm 0.03 * 6: enough for 0.02, not for the 0.055 of 0.
    epsilon = 0.03 if norm == "linf" else 0.03 * 6
    found = autoattack(Nearest(classes), images, labels, Threat(norm=norm, epsilon=epsilon), 0)
    assert found.clean.tolist() == [True, True, False]
    assert found.robust.tolist() == [False, True, False]
    ball = Ball(images, norm, epsilon)
    assert torch.allclose(
        ball.project(found.adversarial_examples), found.adversarial_examples, atol=2**-23, rtol=0
    )
    assert torch.equal(found.adversarial_examples[1:], images[1:])
    assert Nearest(classes)(found.adversarial_examples)[0].argmax() != 0


def test_it_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("auto-attack")
    before = logger.level
    autoattack(Nearest(3), flat(0.2), torch.tensor([0]), THREAT, 0)
    assert capfd.readouterr() == ("", "") and logger.level == before


def test_only_the_examples_asked_for_are_attacked() -> None:
    images, labels = flat(0.0, 0.15, 0.15), torch.tensor([0, 0, 0])
    found = autoattack(
        Nearest(4), images, labels, THREAT, 0, attacks=["apgd-ce"],
        start=np.array([True, True, False]),
    )  # fmt: skip
    assert found.clean.tolist() == [True, True, False]
    assert found.robust.tolist() == [True, False, False]
    assert torch.equal(found.adversarial_examples[2], images[2])


def test_nothing_right_needs_no_attack() -> None:
    found = autoattack(Nearest(4), flat(0.0), torch.tensor([3]), THREAT, 0)
    assert not found.clean.any() and not found.robust.any()


def test_what_the_library_shows_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Far outside of the ball, or no image at all: projected, it is no adversarial example.
    images, labels = flat(0.0, 0.0), torch.tensor([0, 0])
    outside = flat(1.0, torch.nan)
    monkeypatch.setattr(module, "_found", lambda *_: torch.nan_to_num(outside, nan=0.0))
    found = autoattack(Nearest(2), images, labels, THREAT, 0)
    assert found.robust.all() and torch.equal(found.adversarial_examples, images)


def test_few_classes_have_a_stated_variant() -> None:
    assert standard_parts(10) == standard_parts(4) == STANDARD
    assert standard_parts(3) == ("apgd-ce", "apgd-dlr", "fab-t", "square")
    assert standard_parts(2) == ("apgd-ce", "fab-t", "square")
    with pytest.raises(ValueError, match="at least two"):
        standard_parts(1)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    monkeypatch.setattr(module, "is_installed", lambda: False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[autoattack\]"):
        autoattack(Nearest(2), flat(0.0), torch.tensor([0]), THREAT, 0)
