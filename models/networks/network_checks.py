"""Checks of a user's own network by a pass of two examples: outputs, gradients, copies, state.

Whether its builder can be found, and reads the configuration, is checked in `own_network.py`.
"""

from __future__ import annotations

import copy
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy

from models.networks.builder import NetworkData
from models.networks.own_code import locate_code

Inputs = Callable[[nn.Module], Tensor]
_SHOWN = 3
# Files that are not those of a script or a notebook: installed ones, and ours.
_OTHERS = re.compile(
    r"/(site|dist)-packages/|^<frozen|/(models/(networks|training)|search/\w+)/\w+\.py"
)
# Rows of softmax outputs sum to 1 up to rounding in float32. That logits of an untrained network do
# so by chance, in both rows and without a negative value, does not happen.
_SUM_TOLERANCE = 1e-4
# Standard deviations of what is added to weights without a gradient of the images: the smallest is
# enough for a head that begins at zero, the larger ones wake dead units. With 4 channels and half
# of all units dropped one draw fails in 3 % of cases, all eight did in none of 3000.
_MOVES = (0.01, 0.01, 0.1, 0.1, 0.3, 0.3, 1.0, 1.0)


class NetworkError(ValueError):
    """A user's own network cannot be searched; the message says where, the problem and the fix."""


def check_module(reference: str, model: nn.Module) -> None:
    """Check that a network's state is tensors with values, and that training can copy it."""
    state = model.state_dict()
    empty = [name for name, each in state.items() if is_lazy(each) or _is_no_tensor(each)]
    if empty:
        raise NetworkError(
            f"{reference}: {listed(empty)} of its state_dict hold no numbers yet, or are no "
            "tensors; fix: give lazy layers their sizes, build on the CPU, and keep state in "
            "buffers, not by get_extra_state"
        )
    try:
        copy.deepcopy(model).requires_grad_(False)
    except Exception as error:
        raise NetworkError(
            f"{reference}: the network cannot be copied, as averages of weights need: "
            f"{place(reference, error)}; fix: build it without torch.jit, and with "
            "torch.nn.utils.parametrizations instead of torch.nn.utils.weight_norm"
        ) from error
    if model.eval() is not model:
        raise NetworkError(f"{reference}: train() of the network does not return it; fix: end "
                           "your train() with `return self`")  # fmt: skip


def check_repeatable(reference: str, first: nn.Module, second: nn.Module) -> None:
    """Check that two networks of one seed have equal weights."""
    own, other = first.state_dict(), second.state_dict()
    differing = [
        name
        for name, tensor in own.items()
        if name not in other
        or tensor.shape != other[name].shape
        or not torch.equal(tensor, other[name])
    ]
    if differing:
        raise NetworkError(
            f"{reference}: {listed(differing)} differ between two networks of one seed, so no "
            "trial could be repeated; fix: draw weights by torch's, NumPy's or random's global "
            "generator without seeding it"
        )


def check_passes(
    reference: str,
    model: nn.Module,
    data: NetworkData,
    logits_of: Inputs,
    labels: Tensor,
    images: Tensor | None = None,
) -> None:
    """Check the outputs of both modes, and the gradients of parameters and images.

    Chance, as of dropout, is the caller's to seed.
    """
    for mode in (False, True):
        model.train(mode)
        if images is not None:
            images.requires_grad_(True).grad = None
        try:
            logits = logits_of(model)
        except NetworkError as error:
            raise NetworkError(f"{reference}: {error}") from error
        except Exception as error:
            mode_name = "training" if mode else "evaluation"
            raise NetworkError(
                f"{reference}: its network failed on two examples in {mode_name} mode: "
                f"{place(reference, error)}"
            ) from error
        _check_logits(reference, logits, data, len(labels))
        if not logits.requires_grad:
            raise NetworkError(
                f"{reference}: its logits have no gradient, so nothing would be trained; fix: "
                "remove torch.no_grad(), .detach() or .data from forward"
            )
        torch.autograd.backward(functional.cross_entropy(logits.float(), labels))
    if images is not None and not _has_gradient(model, logits_of, images, labels):
        raise NetworkError(
            f"{reference}: the images get no gradient, so no attack would find anything; fix: "
            "remove torch.no_grad(), .detach(), rounding or conversion to integers from forward"
        )
    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and parameter.grad is None
        # Of a pretrained model a part may be of no use here, as the pooler of an encoder.
        and not name.startswith(_pretrained_parts(model))
    ]
    if without:
        raise NetworkError(
            f"{reference}: {listed(without)} of the network get no gradient: forward does not use "
            "them, or detaches what follows; fix: use or remove them, or set requires_grad=False "
            "on purpose"
        )


def _pretrained_parts(model: nn.Module) -> tuple[str, ...]:
    parts = [name for name, part in model.named_modules() if hasattr(part, "get_input_embeddings")]
    return tuple(f"{name}." if name else "" for name in parts)


def _has_gradient(model: nn.Module, logits_of: Inputs, images: Tensor, labels: Tensor) -> bool:
    """Whether images get a gradient, if need be with other weights.

    Weights that begin at zero, as of many heads, give none, nor does a small network whose few
    units are all dropped or negative before a ReLU. A network that rounds gives none whatever its
    weights are.
    """
    if _is_some(images.grad):
        return True
    generator = torch.Generator().manual_seed(0)
    for scale in _MOVES:
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in moved.parameters():
                parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
        images.grad = None
        torch.autograd.backward(functional.cross_entropy(logits_of(moved).float(), labels))
        if _is_some(images.grad):
            return True
    return False


def _is_some(gradient: Tensor | None) -> bool:
    """Whether a gradient has an entry that an attack could follow."""
    return gradient is not None and bool(((gradient != 0) & gradient.isfinite()).any())


def _check_logits(reference: str, logits: Any, data: NetworkData, examples: int) -> None:
    expected = (examples, data.classes)
    if not isinstance(logits, Tensor):
        raise NetworkError(f"{reference}: its network returns {type(logits).__name__}, not a "
                           f"tensor; fix: return the logits {expected}")  # fmt: skip
    if tuple(logits.shape) != expected:
        is_count = logits.ndim == 2 and logits.shape[0] == examples
        problem = f"gives {logits.shape[1]} outputs for {data.classes} classes" if is_count else (
            f"returns shape {tuple(logits.shape)} for {examples} examples of {data.classes} classes"
        )  # fmt: skip
        raise NetworkError(f"{reference}: its network {problem}; fix: end it with data.classes "
                           "logits an example")  # fmt: skip
    if not logits.is_floating_point():
        raise NetworkError(f"{reference}: its network returns {logits.dtype}; fix: return logits, "
                           "not predicted classes")  # fmt: skip
    if not bool(torch.isfinite(logits).all()):
        raise NetworkError(f"{reference}: its logits are not finite before any training; fix: look "
                           "for a division by zero, or a logarithm of zero")  # fmt: skip
    values = logits.detach().float()
    if data.classes > 1 and bool((values >= 0).all()):
        if bool(((values.sum(dim=1) - 1).abs() < _SUM_TOLERANCE).all()):
            raise NetworkError(
                f"{reference}: its network returns probabilities (rows that sum to 1), and the "
                "loss would apply a softmax to them again, which weakens training and attacks; "
                "fix: leave the softmax out and return logits"
            )


def check_restored(reference: str, model: nn.Module, other: nn.Module, logits_of: Inputs) -> None:
    """Check that a network of another seed becomes the same by loading the state_dict."""
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        first, second, restored = (logits_of(each.eval()) for each in (model, model, other))
    if not torch.equal(first, second):
        raise NetworkError(
            f"{reference}: two passes in evaluation mode give different logits, so nothing that "
            "is measured could be repeated; fix: let chance and counters act only if "
            "self.training, as nn.Dropout does"
        )
    if not torch.allclose(first, restored, rtol=1e-3, atol=1e-4):
        raise NetworkError(
            f"{reference}: a second network with the same state_dict gives other logits, so a "
            "checkpoint would not restore it; fix: keep layers in nn.ModuleList or nn.ModuleDict, "
            "not in lists, and random tensors in buffers or parameters"
        )


def _is_no_tensor(value: object) -> bool:
    return not isinstance(value, Tensor) or value.is_meta


def place(reference: str, error: BaseException) -> str:
    """Return an error with the last line of the user's own files that it came from."""
    text = " ".join(str(error).split())
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {what}"
    frames = list(traceback.extract_tb(error.__traceback__))
    try:
        own = {str(file) for file in locate_code(reference).files.values()}
        frames = [each for each in frames if each.filename in own]
    except ValueError:  # of a script or a notebook
        frames = [each for each in frames if not _OTHERS.search(each.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: {what}" if frames else what


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many there are beyond."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
