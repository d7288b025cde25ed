"""A pretrained transformer in memory, and fresh models for trials made from it.

A worker loads a base once. Every trial gets a model of its own that shares the frozen weights with
the base, so setup takes milliseconds and little memory; trained weights are always copies.
`checksum` shows that no trial changed the base.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.utils import logging

from models.hyperparameters.hyperparameter import Value
from models.kinds import KINDS
from models.networks.architectures import ARCHITECTURES, supported
from models.networks.base_model import BaseModel
from models.networks.pixel_input import take_pixels
from models.networks.tokenizer import load_tokenizer


class LoadedBase:
    """A pretrained model with a head of the task, ready to give fresh models to trials.

    Args:
        base: the model to load, in float32 (see `models.networks.base_model.locate_base`).
        kind: "images", or one of `models.kinds.TEXT_KINDS`.
        label_names: classes, or tags; not used for dialogue.
        image: (channels, height, width) of the images, for kind "images".
        device: device of the trials.

    Raises:
        ValueError: the model's architecture has no head of this kind, a weight of its body is
            missing or of another shape, or the images do not fit it.
    """

    def __init__(
        self,
        base: BaseModel,
        kind: str,
        label_names: tuple[str, ...],
        *,
        image: tuple[int, int, int] | None = None,
        device: str = "cpu",
    ) -> None:
        reason = supported("full", base.model_type, kind)
        if reason is not None:
            raise ValueError(f"{base.name}: {reason}")
        self.base = base
        self.kind = kind
        self.label_names = label_names
        self.device = torch.device(device)
        self._model, self._head = _load(base, kind, label_names)
        self._model.requires_grad_(False).eval().to(self.device)
        if kind == "images":
            take_pixels(self._model, base, image)

    def fresh(self, seed: int, configuration: Mapping[str, Value], *, own_copy: bool) -> Any:
        """Return a model for one trial, a PreTrainedModel.

        Its head is new, drawn on the CPU from `seed` alone, and trainable. Its other weights
        are frozen and shared with the base; with `own_copy` they are trainable copies. All dropout
        is configuration["dropout"]. A batch of images goes in as `pixel_values` in [0, 1].
        """
        shared = {} if own_copy else {id(weight): weight for _, weight in self._body()}
        # deepcopy treats what is in its memo as copied already.
        model = copy.deepcopy(self._model, shared)
        if own_copy:
            model.requires_grad_(True)
        generator = torch.Generator().manual_seed(seed)
        spread = float(getattr(model.config, "initializer_range", 0.02))
        for name, weight in model.named_parameters():
            if name in self._head:
                _draw(name, weight, spread, generator)
                weight.requires_grad_(True)
        _set_dropout(model, float(configuration["dropout"]))
        return model

    def embedding_table(self) -> Tensor:
        """Return the pretrained token embeddings (vocabulary, width); no trial changes them."""
        table: Tensor = self._model.get_input_embeddings().weight.detach()
        return table

    def checksum(self) -> str:
        """Return the hex SHA-256 over all weights of the base except the head."""
        digest = hashlib.sha256()
        for name, weight in self._body():
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _body(self) -> list[tuple[str, nn.Parameter]]:
        named = self._model.named_parameters()
        return [(name, weight) for name, weight in named if name not in self._head]


def kind_of(model: Any) -> str:
    """Return the kind of data that a model of `LoadedBase.fresh` works on.

    A ranker has the head of a classifier, and is told to be one.
    """
    heads = {kind: each.auto_class.removeprefix("AutoModel") for kind, each in KINDS.items()}
    found = (kind for kind, head in heads.items() if type(model).__name__.endswith(head))
    return next(found, "dialogue")


def head_modules(model: Any) -> list[str]:
    """Return the names of the head's modules: those outside the body, and a re-initialised pooler.

    `LoadedBase` makes them trainable. Empty for dialogue.
    """
    return [str(name) for name in model.fresh_modules]


def _load(base: BaseModel, kind: str, label_names: tuple[str, ...]) -> tuple[Any, set[str]]:
    """Return the model with a head for the labels, and the names of the head's weights."""
    labels: dict[str, Any] = {}
    if kind != "dialogue":
        labels["id2label"] = dict(enumerate(label_names))
        labels["label2id"] = {name: index for index, name in enumerate(label_names)}
    model, missing = _read(base, kind, labels)
    if KINDS[kind].has_text_class:
        _set_padding(model, base)
    modules = _fresh_modules(model, kind, missing)
    model.fresh_modules = modules
    names = [name for name, _ in model.named_parameters()]
    head = {name for name in names if any(name.startswith(f"{module}.") for module in modules)}
    lost = sorted(missing - head)
    if lost:
        raise ValueError(
            f"{base.name}: {len(lost)} weights of the body are missing or of another shape, the "
            f"first {lost[0]}; fix: give a complete model of type {base.model_type}"
        )
    return model, head


def _read(base: BaseModel, kind: str, labels: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """Return the model and the names of weights that are missing or of another shape."""
    try:
        with quietly():
            # Attention is torch's fused one (SDPA) wherever the architecture has it.
            model, report = getattr(transformers, KINDS[kind].auto_class).from_pretrained(
                base.folder,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # the head's; the caller checks the body
                **labels,
            )
    except ValueError as error:
        raise ValueError(
            f"{base.name}: no model for {kind} ({error}); fix: give another base"
        ) from error
    missing = {str(name) for name in report["missing_keys"]}
    return model, missing | {str(entry[0]) for entry in report["mismatched_keys"]}


def _set_padding(model: Any, base: BaseModel) -> None:
    """Set a decoder's pad token: it classifies by the last token that is no padding.

    The tokenizer has the right one; configurations often lack it or have another one.
    """
    architecture = ARCHITECTURES.get(base.model_type)
    if architecture is not None and "dialogue" not in architecture.kinds:
        return
    if (base.folder / "tokenizer.json").is_file():
        model.config.pad_token_id = load_tokenizer(base.folder).pad_token_id
    elif model.config.pad_token_id is None:
        end = model.config.eos_token_id
        model.config.pad_token_id = end[0] if isinstance(end, list) else end


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppress progress bar and table of missing weights, which are checked here."""
    level, shows = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows:
            logging.enable_progress_bar()


def _fresh_modules(model: Any, kind: str, missing: set[str]) -> list[str]:
    """Return the modules to initialise: those outside the body, and a missing pooler."""
    if kind == "dialogue":
        return []
    body = str(model.base_model_prefix)
    children = [
        str(name)
        for name, module in model.named_children()
        if name != body and any(True for _ in module.parameters())
    ]
    # NOTE: language modelling does not train a pooler, so such checkpoints have none.
    pooler = f"{body}.pooler"
    if any(name.startswith(f"{pooler}.") for name in missing):
        children.append(pooler)
    return children


def _draw(name: str, weight: nn.Parameter, spread: float, generator: torch.Generator) -> None:
    """Initialise a weight: matrices normal with the architecture's spread, biases 0, norms 1."""
    with torch.no_grad():
        if weight.ndim >= 2:
            # On the CPU, so that the head is the same on every device.
            weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
        else:
            weight.fill_(0.0 if name.endswith("bias") else 1.0)


def _set_dropout(model: Any, share: float) -> None:
    """Set all dropout: modules, plain numbers in modules, and the configuration."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float | int):
                setattr(module, name, share)
    for name, value in model.config.to_dict().items():
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, float | int):
            setattr(model.config, name, share)
