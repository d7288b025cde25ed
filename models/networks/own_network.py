"""A user's own network: its builder, and the check of it before a search.

A builder `build(configuration, data) -> nn.Module` returns logits (batch, classes) for images
(batch, channels, height, width) in [0, 1], or for the tensors of encoded texts by keyword; the
normalisation of pixels is part of the network. `configuration` holds all hyperparameters of the
trial, the network's own under the names that the space gives them (`model.depth`), `data` is a
`models.networks.builder.NetworkData`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.data.loading import ImageSplits
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import OWN_PREFIX, Value
from models.networks.base_model import BaseModel
from models.networks.builder import Builder, NetworkData, network_data, seeded
from models.networks.network_checks import (
    Inputs,
    NetworkError,
    check_module,
    check_passes,
    check_repeatable,
    check_restored,
    listed,
    place,
)
from models.networks.own_code import OURS, OwnCodeError, PassedCode, load_function, locate_code

_CHECKED_TOKENS = 32


def load_builder(
    reference: str, digest: str = "", snapshot: Path | PassedCode | None = None
) -> Builder:
    """Import the builder that a specification names; see `load_function`.

    Raises:
        NetworkError: its module cannot be imported; the message has file and line.
        ValueError: it cannot be found.
        OwnCodeError: as `load_function`.
    """
    if snapshot is None:
        locate_code(reference)
    try:
        return load_function(reference, digest, snapshot)
    except OwnCodeError:
        raise
    except (Exception, SystemExit) as error:  # a script that reads its arguments exits
        raise NetworkError(f"{reference}: importing it failed: {place(reference, error)}"
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
        configurations: complete ones that cover the space.
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
        seen = _Configuration(configuration)
        model = _built(reference, builder, seen, data)
        asked |= seen.read
        if index == 0:
            check_module(reference, model)
            again = _built(reference, builder, dict(configuration), data)
            check_repeatable(reference, model, again)
        try:
            with seeded(0):
                check_passes(reference, model, data, logits_of, labels, images)
        except NetworkError as error:
            raise NetworkError(f"{error}; its configuration was {_own(configuration)}") from error
        if index == 0:
            other = _built(reference, builder, dict(configuration), data, seed=1)
            check_restored(reference, model, other, logits_of)
    unread = {name for each in configurations for name in _own(each)} - asked
    if unread:
        raise NetworkError(
            f"{reference}: it never reads {listed(sorted(unread))} of its configuration, so "
            "searching that changes nothing; fix: use configuration[...] in it, or remove the "
            "hyperparameter from the space"
        )


class _Configuration(dict[str, Value]):
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

    def pop(self, name: str, *default: Any) -> Any:
        self.read.add(name)
        return super().pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().setdefault(name, default)

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

    def copy(self) -> dict[str, Value]:
        return dict(self.items())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()


def _built(
    reference: str,
    builder: Builder,
    configuration: Mapping[str, Value],
    data: NetworkData,
    seed: int = 0,
) -> nn.Module:
    if not callable(builder):
        raise NetworkError(f"{reference} is a {type(builder).__name__}; fix: name a function "
                           "build(configuration, data)")  # fmt: skip
    try:
        with seeded(seed):
            model = builder(configuration, data)
    except KeyError as error:
        name = error.args[0] if error.args else None
        if isinstance(name, str) and name not in configuration:
            raise NetworkError(
                f"{reference}: {place(reference, error)}: it reads configuration[{name!r}], which "
                f"neither the space nor task.settings has; fix: add it there; own "
                f"hyperparameters begin with {OWN_PREFIX!r}"
            ) from error
        raise NetworkError(f"{reference}: it failed: {place(reference, error)}") from error
    except (Exception, SystemExit) as error:
        raise NetworkError(f"{reference}: it failed: {place(reference, error)}; its configuration "
                           f"was {_own(configuration)}{_hint(error)}") from error  # fmt: skip
    if not isinstance(model, nn.Module):
        raise NetworkError(f"{reference}: it returned {type(model).__name__}, not a "
                           "torch.nn.Module; fix: return the network")  # fmt: skip
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise NetworkError(f"{reference}: the network has no parameter to train; fix: keep its "
                           "layers as attributes, and requires_grad on")  # fmt: skip
    return model


def _hint(error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and missing.partition(".")[0] in OURS:
        package = missing.partition(".")[0]
        return f"; Twentieth has a package {package} too; fix: rename yours"
    if isinstance(error, AttributeError) and isinstance(error.obj, _Configuration):
        return "; fix: write configuration[NAME], as of a dict, with the space's name"
    return ""


def _own(configuration: Mapping[str, Value]) -> dict[str, Value]:
    return {name: each for name, each in configuration.items() if name.startswith(OWN_PREFIX)}
