"""A user's own network over a pretrained model of texts: a head of one's own.

It stands where `LoadedBase` does: the training takes the tokenizer's folder, the labels and the
pretrained embeddings from it, and a fresh network for each trial from its builder. What the
builder leaves trainable is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import AutoModel

from models.hyperparameters.hyperparameter import Value
from models.networks.base_model import BaseModel
from models.networks.builder import Builder, NetworkData, build
from models.networks.transformer import quietly


class OwnTextNetwork:
    """A builder of text classifiers, with the pretrained model that it builds on.

    Args:
        base: whose tokenizer encodes the texts.
        builder: `data.base` is the base's folder; its networks take the tensors of encoded texts
            by keyword and return logits (batch, classes), or an object with `.logits`.
        label_names: classes.
        device: device of the trials.
    """

    kind = "classification"

    def __init__(
        self,
        base: BaseModel,
        builder: Builder,
        label_names: tuple[str, ...],
        *,
        device: str = "cpu",
    ) -> None:
        self.base, self.label_names = base, label_names
        self.device = torch.device(device)
        self.data = text_data(base, label_names)
        self._builder = builder
        with quietly():
            pretrained = AutoModel.from_pretrained(
                base.folder, use_safetensors=True, local_files_only=True, trust_remote_code=False,
                dtype=torch.float32,
            )  # fmt: skip
        table: Tensor = pretrained.get_input_embeddings().weight.detach()
        self._table = table.to(self.device)

    def fresh(self, seed: int, configuration: Mapping[str, Value]) -> nn.Module:
        """Return a network for one trial, on the CPU; its new weights are drawn from `seed`."""
        with quietly():
            return build(self._builder, configuration, self.data, seed)

    def embedding_table(self) -> Tensor:
        """Return the pretrained token embeddings (vocabulary, width)."""
        return self._table

    def checksum(self) -> str:
        """Return the hex SHA-256 over the pretrained embeddings, which trials only read."""
        return hashlib.sha256(self._table.cpu().numpy().tobytes()).hexdigest()


def text_data(base: BaseModel, label_names: tuple[str, ...]) -> NetworkData:
    """Return what the builder of a text classifier may know."""
    empty = torch.empty(0)
    return NetworkData((), len(label_names), label_names, empty, empty, base.folder)
