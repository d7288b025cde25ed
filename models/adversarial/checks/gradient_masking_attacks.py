"""What attacks say about each other: whether the strong ones behave as strong ones must.

Sources: Carlini et al. 2019, "On evaluating adversarial robustness", section 4; Athalye et al.
2018, section 3.1: iterative attacks beat single steps, white-box attacks beat black-box ones, a
large ball leaves nothing standing, and a larger ball never leaves more. The thresholds were
calibrated on digits models that the committed count (results/reference/false_security.md) lacks.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.adversarial.checks.warning import SecurityWarning
from models.adversarial.pixels.attacks import Ball, fgsm, margin, pgd
from models.adversarial.pixels.evaluation import correct, robust_correct
from models.adversarial.pixels.square_attack import square_attack
from models.adversarial.threat_model import Threat

Flags = npt.NDArray[np.bool_]  # (n,), one per example

# Of the single loss compared with FGSM: enough to beat one step by far on an honest model.
_STEPS = 10
_REACH = 2.5  # as models.adversarial.pixels.evaluation: Madry et al. 2018, section 5
_QUERIES = 300
# Share of the images that Square may break though white-box did not, and below how many images it
# is chance. PGD of few steps misses borderline images: honest networks lost 0 to 3 of 128 in
# calibration, quantised inputs 17 or more.
_BLACK_BOX_SHARE, _FEWEST = 0.05, 3
# Sizes as multiples of the threat's; the last grid point is `everything`.
_MULTIPLES = (0.5, 2.0)
# 24 honest networks lost every image there; quantised inputs kept 77% or more.
_ABOUT_ZERO = 0.05
# Standard errors of a paired difference.
_SIGMAS = 2.0


def attack_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[SecurityWarning]:
    """Warnings from attacks in eval mode; only images that are right without one count.

    Args:
        model: maps images to logits, differentiable.
        images: float32 (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        threat: norm, epsilon, steps and restarts of the white-box attack.
        seed: of every random start.
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
    """Which images withstand FGSM, and which PGD on the same loss from the same start."""
    ball = Ball(images, threat.norm, threat.epsilon)
    with torch.no_grad():
        once = margin(model(fgsm(model, labels, ball)), labels) > 0
    step_size = _REACH * threat.epsilon / _STEPS
    _, margins = pgd(model, labels, ball, steps=_STEPS, step_size=step_size)
    return once.cpu().numpy(), (margins > 0).cpu().numpy()


def black_box(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, white_box: Flags, seed: int
) -> int:
    """How many images that the white-box attack left standing Square breaks."""
    left = torch.from_numpy(white_box).to(images.device)
    ball = Ball(images[left], threat.norm, threat.epsilon)
    _, margins = square_attack(model, labels[left], ball, queries=_QUERIES, seed=seed)
    return int((~(margins > 0)).sum())


def grid(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, white_box: Flags, seed: int
) -> dict[float, Flags]:
    """Which images withstand the threat's attack at each size, ascending.

    The largest is `everything`, where every image can be turned into the same grey.
    """
    found = {threat.epsilon: white_box}
    largest = everything(images, threat)
    for epsilon in (*(multiple * threat.epsilon for multiple in _MULTIPLES), largest):
        if epsilon <= largest and epsilon not in found:
            found[epsilon] = robust_correct(model, images, labels, threat.at(epsilon), seed)
    return dict(sorted(found.items()))


def everything(images: Tensor, threat: Threat) -> float:
    """The size at which a ball holds the grey image: 0.5 a pixel."""
    return 0.5 if threat.norm == "linf" else 0.5 * math.sqrt(images[0].numel())


def exceeds(one: Flags, other: Flags) -> bool:
    """Whether more images are true in `one`, by over two standard errors of paired flags.

    McNemar's: were there no difference, an image that differs would do so either way as likely.
    At least four images must differ.
    """
    more, fewer = int((one & ~other).sum()), int((other & ~one).sum())
    return more > fewer and more - fewer >= _SIGMAS * math.sqrt(more + fewer)


def _single_step(once: Flags, often: Flags) -> SecurityWarning | None:
    if not exceeds(often, once):
        return None
    return SecurityWarning(
        "an iterative attack is weaker than a single step",
        f"PGD of {_STEPS} steps on cross-entropy leaves more images standing than FGSM, by over "
        f"{_SIGMAS:g} standard errors",
        "following the gradient leads nowhere: it is masked, and every gradient figure is too high",
        "look for what makes the loss rough or flat; judge by Square and AutoAttack",
        f"of those right before {once.mean():.3f} stand after FGSM, {often.mean():.3f} after PGD",
    )


def _black_box(broken: int, n: int) -> SecurityWarning | None:
    if broken < max(_FEWEST, _BLACK_BOX_SHARE * n):
        return None
    return SecurityWarning(
        "a black-box attack beats the white-box one",
        f"Square ({_QUERIES} queries) breaks at least {_BLACK_BOX_SHARE:.0%} of the images, and "
        f"{_FEWEST}, that the white-box attack left standing",
        "the gradients hide what random search finds, so the white-box figure is too high",
        "judge by AutoAttack; look for masked gradients",
        f"{broken} of {n} images",
    )


def grid_warnings(found: dict[float, Flags]) -> list[SecurityWarning | None]:
    """What the images standing at each size (ascending) raise: a rise, and a floor above zero."""
    shares = ", ".join(f"{epsilon:.3g}: {flags.mean():.3f}" for epsilon, flags in found.items())
    sizes = list(found)
    rises = any(exceeds(found[b], found[a]) for a, b in pairwise(sizes))
    last = found[sizes[-1]].mean()
    measured = f"standing at epsilon {shares} of those right before"
    return [
        None
        if not rises
        else SecurityWarning(
            "robust accuracy rises with epsilon",
            f"more images withstand a larger ball than a smaller one, by over {_SIGMAS:g} "
            "standard errors",
            "the larger ball holds the smaller, so the attack fails to find what is there",
            "attack with more steps and other losses; judge by AutoAttack",
            measured,
        ),
        None
        if last <= _ABOUT_ZERO
        else SecurityWarning(
            "robust accuracy stays up at a large epsilon",
            f"over {_ABOUT_ZERO:.0%} of the images stand where every image can be made the same "
            "grey",
            "no model can be right there, so the attack does not work on this one",
            "find out why the gradients do not lead there before any figure is believed",
            measured,
        ),
    ]
