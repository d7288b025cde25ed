"""A pretrained transformer in memory, and fresh models for trials made from it.

A worker loads a base once. Every trial gets a model of its own whose frozen weights are the very
tensors of the base, so setting up costs milliseconds and the memory is shared; what a trial trains
is always its own. `checksum` shows that no trial left a trace.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.utils import logging

from models.hyperparameters.hyperparameter import Value
from models.networks.architectures import ARCHITECTURES, supported
from models.networks.base_model import BaseModel
from models.networks.pixel_input import take_pixels
from models.networks.tokenizer import load_tokenizer

_CLASSES = {
    "classification": AutoModelForSequenceClassification,
    "entities": AutoModelForTokenClassification,
    "dialogue": AutoModelForCausalLM,
    "images": AutoModelForImageClassification,
}
_KINDS = {
    "ForSequenceClassification": "classification",
    "ForTokenClassification": "entities",
    "ForImageClassification": "images",
}


class LoadedBase:
    """A pretrained model with a head of the task, ready to give fresh models to trials.

    Args:
        base: what to load (see `models.networks.base_model.locate_base`); in float32.
        kind: "classification", "entities", "dialogue" or "images".
        label_names: classes, or tags; not used for dialogue.
        image: (channels, height, width) of the images, for kind "images".
        device: where its trials train.

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
        """A model for one trial, a PreTrainedModel.

        Its head is its own, drawn on the CPU from `seed` alone, and trainable. Its other weights
        are frozen and shared with the base; with `own_copy` they are trainable copies. All dropout
        is configuration["dropout"]. A batch of images goes in as `pixel_values` in [0, 1].
        """
        shared = {} if own_copy else {id(weight): weight for _, weight in self._body()}
        # deepcopy takes what it finds in its memo for copied already.
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
        """The pretrained token embeddings (vocabulary, width); no trial changes them."""
        table: Tensor = self._model.get_input_embeddings().weight.detach()
        return table

    def checksum(self) -> str:
        """Hex SHA-256 over all weights of the base, the head aside."""
        digest = hashlib.sha256()
        for name, weight in self._body():
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _body(self) -> list[tuple[str, nn.Parameter]]:
        named = self._model.named_parameters()
        return [(name, weight) for name, weight in named if name not in self._head]


def kind_of(model: Any) -> str:
    """The kind of data that a model of `LoadedBase.fresh` works on."""
    name = type(model).__name__
    kinds = [kind for ending, kind in _KINDS.items() if name.endswith(ending)]
    return kinds[0] if kinds else "dialogue"


def head_modules(model: Any) -> list[str]:
    """Names of the modules that form the head: beside the body, and a pooler drawn afresh.

    They are the ones that `LoadedBase` made trainable; empty for dialogue.
    """
    return [str(name) for name in model.fresh_modules]


def _load(base: BaseModel, kind: str, label_names: tuple[str, ...]) -> tuple[Any, set[str]]:
    """The model with a head for the labels, and the names of the weights that form the head."""
    labels: dict[str, Any] = {}
    if kind != "dialogue":
        labels["id2label"] = dict(enumerate(label_names))
        labels["label2id"] = {name: index for index, name in enumerate(label_names)}
    model, missing = _read(base, kind, labels)
    if kind == "classification":
        _set_padding(model, base)
    modules = _fresh_modules(model, kind, missing)
    model.fresh_modules = modules
    names = [name for name, _ in model.named_parameters()]
    head = {name for name in names if any(name.startswith(f"{module}.") for module in modules)}
    lost = sorted(missing - head)
    if lost:
        raise ValueError(
            f"{base.name}: {len(lost)} weights of the body are missing or of another shape, the "
            f"first {lost[0]}; give a complete model of type {base.model_type}"
        )
    return model, head


def _read(base: BaseModel, kind: str, labels: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """The model, and the names of weights that the folder lacks or has in another shape."""
    try:
        with _quiet():
            # Attention is torch's fused one (SDPA) wherever the architecture has it.
            model, report = _CLASSES[kind].from_pretrained(
                base.folder,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # of another head; the body is checked by the caller
                **labels,
            )
    except ValueError as error:
        raise ValueError(
            f"{base.name}: no model for {kind} ({error}); give another base"
        ) from error
    missing = {str(name) for name in report["missing_keys"]}
    return model, missing | {str(entry[0]) for entry in report["mismatched_keys"]}


def _set_padding(model: Any, base: BaseModel) -> None:
    """Tell a decoder what its texts are padded with: it classifies by the last other token.

    That is for the tokenizer to say; configurations often leave it out, or say something else.
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
def _quiet() -> Iterator[None]:
    """No progress bar, and no table of missing weights: they are checked here, head or body."""
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
    """Modules whose weights no checkpoint can give: those beside the body, and a missing pooler."""
    if kind == "dialogue":
        return []
    body = str(model.base_model_prefix)
    children = [
        str(name)
        for name, module in model.named_children()
        if name != body and any(True for _ in module.parameters())
    ]
    # NOTE: language modelling does not train a pooler, so such checkpoints come without one.
    pooler = f"{body}.pooler"
    if any(name.startswith(f"{pooler}.") for name in missing):
        children.append(pooler)
    return children


def _draw(name: str, weight: nn.Parameter, spread: float, generator: torch.Generator) -> None:
    """Matrices normal with the architecture's spread, biases 0, norms 1."""
    with torch.no_grad():
        if weight.ndim >= 2:
            # On the CPU, wherever the model lies: the same head on every device.
            weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
        else:
            weight.fill_(0.0 if name.endswith("bias") else 1.0)


def _set_dropout(model: Any, share: float) -> None:
    """Hidden, attention and classifier dropout: the modules, and shares kept as plain numbers."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float | int):
                setattr(module, name, share)
    for name, value in model.config.to_dict().items():
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, float | int):
            setattr(model.config, name, share)
