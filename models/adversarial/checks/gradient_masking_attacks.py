"""Checks for gradient masking that compare attacks: stronger attacks must succeed more often.

Sources: Carlini et al. 2019, "On evaluating adversarial robustness", section 4; Athalye et al.
2018, section 3.1: iterative attacks beat single steps, white-box attacks beat black-box ones, no
image is robust in a very large ball, and robust accuracy never rises with epsilon. The thresholds
were calibrated on digits models that are not among those of results/reference/gradient_masking.md.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import Ball, fgsm, margin, pgd
from models.adversarial.pixels.evaluation import Flags, correct, robust_correct
from models.adversarial.pixels.square_attack import square_attack
from models.adversarial.threat_model import Threat

# PGD steps on the loss of FGSM: far stronger than one step on a model without masking.
_STEPS = 10
_REACH = 2.5  # total length of its steps in epsilons: Madry et al. 2018, section 5
_QUERIES = 300
# Largest share of images that Square may misclassify though the white-box attack did not, and the
# number of images below which it is chance. PGD of few steps misses borderline images: unmasked
# networks lost 0 to 3 of 128 in calibration, networks with quantised inputs 17 or more.
_BLACK_BOX_SHARE, _FEWEST = 0.05, 3
# Epsilons as multiples of the threat's; the last grid point is `everything`.
_MULTIPLES = (0.5, 2.0)
# 24 unmasked networks lost every image there; networks with quantised inputs kept 77 % or more.
_ABOUT_ZERO = 0.05
# Standard errors of a paired difference.
_SIGMAS = 2.0


def attack_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[GradientMaskingWarning]:
    """Return the warnings from attacks in eval mode on the correctly classified images.

    Args:
        model: maps images to logits, differentiable.
        images: float32 (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        threat: norm, epsilon, steps and restarts of the white-box attack.
        seed: seed of every random start.
    """
    clean = torch.from_numpy(correct(model, images, labels)).to(images.device)
    if not clean.any():
        return []
    images, labels = images[clean], labels[clean]
    white_box = robust_correct(model, images, labels, threat, seed)
    found = [
        _single_step(*one_and_many_steps(model, images, labels, threat)),
        _black_box(black_box(model, images, labels, threat, white_box, seed), len(labels)),
        *grid_warnings(grid(model, images, labels, threat, white_box, seed)),
    ]
    return [warning for warning in found if warning is not None]


def one_and_many_steps(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat
) -> tuple[Flags, Flags]:
    """Return which images withstand FGSM, and which PGD on the same loss from the same start."""
    ball = Ball(images, threat.norm, threat.epsilon)
    with torch.no_grad():
        once = margin(model(fgsm(model, labels, ball)), labels) > 0
    step_size = _REACH * threat.epsilon / _STEPS
    _, margins = pgd(model, labels, ball, steps=_STEPS, step_size=step_size)
    return once.cpu().numpy(), (margins > 0).cpu().numpy()


def black_box(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, white_box: Flags, seed: int
) -> int:
    """Return how many images Square misclassifies of those that withstand the white-box attack."""
    left = torch.from_numpy(white_box).to(images.device)
    ball = Ball(images[left], threat.norm, threat.epsilon)
    _, margins = square_attack(model, labels[left], ball, queries=_QUERIES, seed=seed)
    return int((~(margins > 0)).sum())


def grid(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, white_box: Flags, seed: int
) -> dict[float, Flags]:
    """Return which images withstand the threat's attack at each epsilon, ascending.

    The largest epsilon is `everything`, where every image can be turned into the same grey.
    """
    found = {threat.epsilon: white_box}
    largest = everything(images, threat)
    for epsilon in (*(multiple * threat.epsilon for multiple in _MULTIPLES), largest):
        if epsilon <= largest and epsilon not in found:
            found[epsilon] = robust_correct(model, images, labels, threat.at(epsilon), seed)
    return dict(sorted(found.items()))


def everything(images: Tensor, threat: Threat) -> float:
    """Return the epsilon at which every ball contains the grey image: 0.5 for each pixel."""
    return 0.5 if threat.norm == "linf" else 0.5 * math.sqrt(images[0].numel())


def exceeds(one: Flags, other: Flags) -> bool:
    """Return whether more images are true in `one`, by over two standard errors of paired flags.

    McNemar's test: without a difference, discordant images are as likely in either direction. At
    least four images must differ.
    """
    more, fewer = int((one & ~other).sum()), int((other & ~one).sum())
    return more > fewer and more - fewer >= _SIGMAS * math.sqrt(more + fewer)


def _single_step(once: Flags, often: Flags) -> GradientMaskingWarning | None:
    if not exceeds(often, once):
        return None
    return GradientMaskingWarning(
        "an iterative attack is weaker than a single step",
        f"PGD of {_STEPS} steps on cross-entropy misclassifies fewer images than FGSM, by over "
        f"{_SIGMAS:g} standard errors",
        "the gradient is masked, and every accuracy under a gradient attack is too high",
        "find what makes the loss rough or flat; evaluate by Square and AutoAttack",
        f"robust of the correct images: FGSM {once.mean():.3f}, PGD {often.mean():.3f}",
    )


def _black_box(misclassified: int, n: int) -> GradientMaskingWarning | None:
    if misclassified < max(_FEWEST, _BLACK_BOX_SHARE * n):
        return None
    return GradientMaskingWarning(
        "a black-box attack beats the white-box one",
        f"Square ({_QUERIES} queries) misclassifies at least {_BLACK_BOX_SHARE:.0%} of the images, "
        f"and {_FEWEST}, that withstand the white-box attack",
        "random search finds errors that the gradients hide: the white-box accuracy is too high",
        "evaluate by AutoAttack; look for masked gradients",
        f"{misclassified} of {n} images",
    )


def grid_warnings(flags_by_epsilon: dict[float, Flags]) -> list[GradientMaskingWarning]:
    """Return the warnings about robust flags by epsilon (ascending): a rise, a high floor."""
    by_size = list(flags_by_epsilon.values())
    shares = (f"{size:.3g}: {flags.mean():.3f}" for size, flags in flags_by_epsilon.items())
    measured = f"robust of the correct images, by epsilon: {', '.join(shares)}"
    found = []
    if any(exceeds(larger, smaller) for smaller, larger in pairwise(by_size)):
        found.append(GradientMaskingWarning(
            "robust accuracy rises with epsilon",
            f"more images withstand a larger ball than a smaller one, by over {_SIGMAS:g} "
            "standard errors",
            "the larger ball contains the smaller one, so the attack misses errors that exist",
            "attack with more steps and other losses; evaluate by AutoAttack",
            measured,
        ))  # fmt: skip
    if by_size[-1].mean() > _ABOUT_ZERO:
        found.append(GradientMaskingWarning(
            "robust accuracy stays up at a large epsilon",
            f"over {_ABOUT_ZERO:.0%} of the images are robust where every image can be made the "
            "same grey",
            "no model can be robust there, so the attack does not work on this one",
            "find out why the gradients fail before relying on any robust accuracy",
            measured,
        ))  # fmt: skip
    return found
