"""A user's own network: its builder, and the check of it before a search.

A builder `build(configuration, data) -> nn.Module` returns logits (batch, classes) for images
(batch, channels, height, width) in [0, 1], or for the tensors of encoded texts by keyword; the
normalisation of pixels is part of the network. `configuration` holds all hyperparameters of the
trial, the network's own under the names that the space gives them (`model.depth`), `data` is a
`models.networks.builder.NetworkData`.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data.loading import ImageSplits
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import OWN_PREFIX, Value
from models.networks.base_model import BaseModel
from models.networks.builder import Builder, NetworkData, build, network_data
from models.networks.own_code import OURS, PassedCode, load_function, locate_code

Inputs = Callable[[nn.Module], Tensor]
_SHOWN = 3
# Files that are not those of a script or a notebook: installed ones, and ours.
_OTHERS = re.compile(
    r"/(site|dist)-packages/|^<frozen|/(models/(networks|training)|search/\w+)/\w+\.py"
)
_CHECKED_TOKENS = 32
# Rows of softmax outputs sum to 1 up to rounding in float32. That logits of an untrained network do
# so by chance, in both rows and without a negative value, does not happen.
_SUM_TOLERANCE = 1e-4


class NetworkError(ValueError):
    """A user's own network cannot be searched; the message says where, the problem and the fix."""


def load_builder(
    reference: str, digest: str = "", snapshot: Path | PassedCode | None = None
) -> Builder:
    """Import the builder that a specification names; see `load_function`.

    Raises:
        NetworkError: its module cannot be imported; the message has file and line.
        ValueError: it cannot be found.
    """
    if snapshot is None:
        locate_code(reference)
    try:
        return load_function(reference, digest, snapshot)
    except Exception as error:
        raise NetworkError(f"{reference}: importing it failed: {_place(reference, error)}"
                           f"{_hint(error)}") from error  # fmt: skip


def check_image_network(
    reference: str,
    configurations: Sequence[Mapping[str, Value]],
    data: ImageSplits,
    passed: PassedCode | None = None,
) -> None:
    """Check a builder's networks by a pass forward and backward on two images.

    Args:
        reference: as the specification names the builder.
        configurations: complete ones that cover the space; passes are made for the first two, the
            others are built where a hyperparameter has not been read yet.
        data: the first two training images are passed.
        passed: the builder, if a script or a notebook passed it.

    Raises:
        NetworkError: the builder fails, ignores a hyperparameter or draws weights from another
            source of chance than torch, NumPy and Python; or the network's outputs are no logits of
            the classes, or training or attacks would get no gradient.
        ValueError: the builder cannot be found.
    """
    images = torch.tensor(data.train_images[:2]).to(torch.float32) / data.scale
    labels = torch.tensor(data.train_labels[:2])
    _check(
        reference, load_builder(reference, snapshot=passed), configurations, network_data(data),
        lambda net: net(images), labels, images,
    )  # fmt: skip


def check_text_network(
    reference: str,
    configurations: Sequence[Mapping[str, Value]],
    data: TextSplits,
    base: BaseModel,
    passed: PassedCode | None = None,
) -> None:
    """Check a builder's networks over a pretrained model by a pass on two training texts.

    Args:
        reference: as the specification names the builder.
        configurations: as for `check_image_network`.
        data: texts with classes.
        base: whose tokenizer encodes them.
        passed: as for `check_image_network`.

    Raises:
        NetworkError, ValueError: as `check_image_network`; or no module of the network has
            `get_input_embeddings`, by which attacks on embeddings and adversarial training work.
    """
    # Imported here: transformers takes seconds, which a network on images does not need.
    from models.networks.own_text import text_data
    from models.networks.tokenizer import load_tokenizer
    from models.networks.transformer import quietly

    tokenizer = load_tokenizer(base.folder)
    columns = [list(column) for column in zip(*data.train.texts[:2], strict=True)]
    inputs = tokenizer(*columns, padding=True, truncation=True, max_length=_CHECKED_TOKENS,
                       return_tensors="pt")  # fmt: skip

    def logits_of(model: nn.Module) -> Tensor:
        if not any(hasattr(each, "get_input_embeddings") for each in model.modules()):
            raise NetworkError("no module has get_input_embeddings, which attacks on embeddings "
                               "need; fix: keep a model of transformers in it")  # fmt: skip
        output: Any = model(**inputs)
        logits: Tensor = getattr(output, "logits", output)
        return logits

    labels, known = torch.tensor(data.train.labels[:2]), text_data(base, data.label_names)
    with quietly():
        builder = load_builder(reference, snapshot=passed)
        _check(reference, builder, configurations, known, logits_of, labels)


def _check(
    reference: str,
    builder: Builder,
    configurations: Sequence[Mapping[str, Value]],
    data: NetworkData,
    logits_of: Inputs,
    labels: Tensor,
    images: Tensor | None = None,
) -> None:
    asked: set[str] = set()
    for index, configuration in enumerate(configurations):
        unread = _own_names(configurations) - asked
        if index >= 2 and not unread:
            break
        seen = _Recorded(configuration)
        model = _built(reference, builder, seen, data)
        asked |= seen.read
        if index == 0:
            again = _built(reference, builder, configuration, data)
            _check_repeatable(reference, model, again)
        if index < 2:
            _check_passes(reference, model, data, logits_of, labels, images)
    unread = _own_names(configurations) - asked
    if unread:
        raise NetworkError(
            f"{reference}: it never reads {_listed(sorted(unread))} of its configuration, so "
            "searching that changes nothing; fix: use configuration[...] in it, or remove the "
            "hyperparameter from the space"
        )


def _own_names(configurations: Sequence[Mapping[str, Value]]) -> set[str]:
    return {name for each in configurations for name in each if name.startswith(OWN_PREFIX)}


class _Recorded(dict[str, Value]):
    """A configuration that notes which hyperparameters were read; iterating reads all."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Value:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        self.read.update(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        self.read.update(super().keys())
        return super().items()

    def keys(self) -> Any:
        self.read.update(super().keys())
        return super().keys()

    def values(self) -> Any:
        self.read.update(super().keys())
        return super().values()


def _built(
    reference: str, builder: Builder, configuration: Mapping[str, Value], data: NetworkData
) -> nn.Module:
    if not callable(builder):
        raise NetworkError(f"{reference} is a {type(builder).__name__}; fix: name a function "
                           "build(configuration, data)")  # fmt: skip
    try:
        model = build(builder, configuration, data, seed=0)
    except KeyError as error:
        name = error.args[0] if error.args else None
        if isinstance(name, str) and name not in configuration:
            raise NetworkError(
                f"{reference}: {_place(reference, error)}: it reads configuration[{name!r}], which "
                f"neither the space nor task.settings has; fix: add it there; own "
                f"hyperparameters begin with {OWN_PREFIX!r}"
            ) from error
        raise NetworkError(f"{reference}: it failed: {_place(reference, error)}") from error
    except Exception as error:
        raise NetworkError(f"{reference}: it failed: {_place(reference, error)}; its configuration "
                           f"was {_own(configuration)}{_hint(error)}") from error  # fmt: skip
    if not isinstance(model, nn.Module):
        raise NetworkError(f"{reference}: it returned {type(model).__name__}, not a "
                           "torch.nn.Module; fix: return the network")  # fmt: skip
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise NetworkError(f"{reference}: the network has no parameter to train; fix: keep its "
                           "layers as attributes, and requires_grad on")  # fmt: skip
    return model


def _check_passes(
    reference: str,
    model: nn.Module,
    data: NetworkData,
    logits_of: Inputs,
    labels: Tensor,
    images: Tensor | None = None,
) -> None:
    """Check the outputs of both modes, and the gradients of parameters and images."""
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
                f"{_place(reference, error)}"
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
            f"{reference}: {_listed(without)} of the network get no gradient: forward does not use "
            "them, or detaches what follows; fix: use or remove them, or set requires_grad=False "
            "on purpose"
        )


def _pretrained_parts(model: nn.Module) -> tuple[str, ...]:
    parts = [name for name, part in model.named_modules() if hasattr(part, "get_input_embeddings")]
    return tuple(f"{name}." if name else "" for name in parts)


def _has_gradient(model: nn.Module, logits_of: Inputs, images: Tensor, labels: Tensor) -> bool:
    """Whether images get a gradient; weights that begin at zero, as of many heads, are moved."""
    if images.grad is not None and bool(images.grad.any()):
        return True
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=generator))
    images.grad = None
    torch.autograd.backward(functional.cross_entropy(logits_of(model).float(), labels))
    return images.grad is not None and bool(images.grad.any())


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


def _check_repeatable(reference: str, first: nn.Module, second: nn.Module) -> None:
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
            f"{reference}: {_listed(differing)} differ between two networks of one seed, so no "
            "trial could be repeated; fix: draw weights by torch's, NumPy's or random's global "
            "generator without seeding it"
        )


def _place(reference: str, error: BaseException) -> str:
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


def _hint(error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and missing.partition(".")[0] in OURS:
        package = missing.partition(".")[0]
        return f"; Twentieth has a package {package} too; fix: rename yours"
    return ""


def _own(configuration: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: value for name, value in dict(configuration).items() if name.startswith(OWN_PREFIX)
    }


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
