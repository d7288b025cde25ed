"""Integrated gradients of one example at a time, by the library captum, as exact as asked for.

An attribution says how much each input changed an output on the straight way from a baseline.
Completeness: attributions add up to the output at the input minus that at the baseline. The
integral is a sum of steps, so it is off by some; the steps are doubled until it is off by at most
1 %.

Source: Sundararajan, Taly, Yan 2017, "Axiomatic attribution for deep networks", sections 3 and 5.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.adversarial.pixels.attacks import why_no_gradient

MISSING = (
    "explanations need the package captum, which is not installed; fix: in the project's folder, "
    "`pip install -c constraints.txt -e '.[explain]'`"
)
# Of the difference of outputs; the paper calls 5 % enough (section 5).
TOLERANCE = 0.01
# The paper needed 20 to 300; networks with sharp bends after adversarial training need more.
_FIRST_STEPS, _MOST_STEPS = 32, 1024
# Points of the way in a pass: memory as of a batch in evaluation.
_POINTS_AT_ONCE = 64


def is_installed() -> bool:
    """Return whether captum is installed."""
    return importlib.util.find_spec("captum") is not None


@dataclass(frozen=True, eq=False)
class Attribution:
    """The attribution of one output to the parts of one input.

    Attributes:
        values: Of the input's shape, without its batch dimension, on the CPU; above 0 raised it.
        difference: The output at the input minus that at the baseline.
        delta: Sum of the values minus `difference`: 0 if complete.
        steps: Steps of the integral.
    """

    values: Tensor
    difference: float
    delta: float
    steps: int

    @property
    def relative_delta(self) -> float:
        """The size of `delta` relative to `difference`, at least 0; infinite if that is 0."""
        if self.delta == 0:
            return 0.0
        return abs(self.delta / self.difference) if self.difference else float("inf")

    @property
    def is_complete(self) -> bool:
        """Whether the values add up to the difference within `TOLERANCE`."""
        return self.relative_delta <= TOLERANCE


def integrated_gradients(
    score: Callable[[Tensor], Tensor], inputs: Tensor, baseline: Tensor
) -> Attribution:
    """Return the attribution of a score; of the most steps if it does not get complete.

    Args:
        score: from inputs (n, ...) to scores (n,); an example's must not depend on the others'.
        inputs: (1, ...), one example.
        baseline: of the same shape.

    Raises:
        ModuleNotFoundError: captum is not installed.
        ValueError: the score has no gradient, or torch cannot compute it.
        RuntimeError: the memory does not suffice, or the device fails.
    """
    if not is_installed():
        raise ModuleNotFoundError(MISSING)
    from captum.attr import IntegratedGradients

    inputs, baseline = inputs.detach(), baseline.detach()
    with torch.no_grad():
        difference = float(score(inputs)[0]) - float(score(baseline)[0])
    method, steps = IntegratedGradients(score, multiply_by_inputs=True), _FIRST_STEPS
    while True:
        try:
            values = method.attribute(
                inputs, baselines=baseline, n_steps=steps, internal_batch_size=_POINTS_AT_ONCE
            )
        except RuntimeError as error:
            raise ValueError(
                f"the model has no gradient to integrate: {why_no_gradient(error)}; fix: let the "
                "network compute its logits from its inputs by differentiable operations"
            ) from error
        values = values.detach()[0].cpu()
        found = Attribution(values, difference, float(values.sum()) - difference, steps)
        if found.is_complete or steps >= _MOST_STEPS:
            return found
        steps *= 2
