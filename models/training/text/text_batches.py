"""Batches and losses of texts for a transformer, for all kinds of task.

What differs between kinds is in `predict.py` (predictions) and `evaluation.py` (metrics). Not for
training itself (`models/training/text_fine_tuning.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.embeddings.epsilon_unit import pretrained_unit
from models.adversarial.embeddings.perturbed_logits import perturbed, zero_perturbation
from models.adversarial.embeddings.training import adversarial_step
from models.adversarial.threat_model import TextThreat
from models.data.sources import DataError
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.own_text import OwnTextNetwork
from models.networks.tokenizer import load_tokenizer
from models.networks.transformer import LoadedBase
from models.training.text.collate import collate, length_batches
from models.training.text.encoding import IGNORED, Encoder
from models.training.text.evaluation import TextEvaluation


class TextBatches:
    """The texts of a task for one model; `encoder` encodes and `evaluation` evaluates them.

    Raises:
        DataError: the base has other labels than the data, or the data are of another kind.
    """

    def __init__(
        self,
        data: TextSplits,
        base: LoadedBase | OwnTextNetwork,
        configuration: Mapping[str, Value],
        threat: TextThreat,
    ) -> None:
        if data.kind != base.kind or data.label_names != base.label_names:
            raise DataError(
                f"{data.name} holds {data.kind} with labels {list(data.label_names)}, but the "
                f"model was loaded for {base.kind} with {list(base.label_names)}; "
                "fix: load it again"
            )
        self._configuration, self._device = configuration, base.device
        length = int(configuration["max_length"])
        tokenizer = load_tokenizer(base.base.folder)
        self.encoder = Encoder(tokenizer, data.kind, data.label_names, length)
        self._train = self.encoder.encode(data.train.texts, data.train.labels)
        self._weights = self._class_weights(len(data.label_names))
        token_ids = (token for item in self._train for token in item.input_ids)
        self.unit = pretrained_unit(base.embedding_table(), token_ids)
        self.evaluation = TextEvaluation(self.encoder, data, threat, self.unit)
        self.size = len(self._train)

    def indices(self, size: int, generator: torch.Generator | None) -> list[list[int]]:
        """Return the indices of each step's inputs; a long sentence gives one for each window."""
        lengths = [len(item.input_ids) for item in self._train]
        return length_batches(lengths, size, generator)

    def tensors(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the batch of these inputs, padded to its longest, on the device."""
        batch = collate([self._train[number] for number in index], self.encoder.tokenizer)
        return {name: tensor.to(self._device) for name, tensor in batch.items()}

    def middle(self, count: int) -> dict[str, Tensor]:
        """Return inputs without labels: the `count` rows of middle length, all if there are fewer.

        They are the same for all configurations of one `max_length`, so speeds compare.
        """
        ordered = sorted(range(self.size), key=lambda row: len(self._train[row].input_ids))
        start = max(0, (self.size - count) // 2)
        batch = self.tensors(ordered[start : start + count])
        return {name: tensor for name, tensor in batch.items() if name != "labels"}

    def weight(self, labels: Tensor) -> float:
        """Return the divisor of a batch's summed loss: the sum of its labels' class weights."""
        counted = labels[labels != IGNORED]
        return float(self._weights[counted].sum()) if self._weights is not None else counted.numel()

    def learn(
        self, model: nn.Module, batch: Mapping[str, Tensor], weight: float, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of this part of a batch, and return its summed loss over `weight`."""
        labels = batch["labels"]
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        mask = batch["attention_mask"]
        return adversarial_step(
            perturbed(model, inputs), lambda logits: self._loss(logits, labels) / weight,
            lambda ours, theirs: self._divergence(ours, theirs, labels) / weight,
            zero_perturbation(model, mask), mask, self._configuration, self.unit, noise,
            torch.autograd.backward,
        )  # fmt: skip

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy summed over labels; a decoder predicts the next token."""
        if self.encoder.kind == "dialogue":
            logits, labels = logits[:, :-1], labels[:, 1:]
        return functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1),
            weight=None if self._weights is None else self._weights.to(logits.device),
            ignore_index=IGNORED, reduction="sum",
            label_smoothing=float(self._configuration["label_smoothing"]),
        )  # fmt: skip

    def _divergence(self, ours: Tensor, theirs: Tensor, labels: Tensor) -> Tensor:
        """Return the symmetrised Kullback-Leibler divergence, summed over labels (SMART, eq. 2)."""
        if self.encoder.kind == "dialogue":
            ours, theirs, labels = ours[:, :-1], theirs[:, :-1], labels[:, 1:]
        counted = labels.reshape(-1) != IGNORED
        one = functional.log_softmax(ours.reshape(-1, ours.shape[-1]).float(), -1)[counted]
        other = functional.log_softmax(theirs.reshape(-1, ours.shape[-1]).float(), -1)[counted]
        return ((one.exp() - other.exp()) * (one - other)).sum()

    def _class_weights(self, classes: int) -> Tensor | None:
        """Return weights (classes,) that give every class of training the same sum, or None.

        n / (classes * count), as scikit-learn's "balanced"; classes without examples do not count.
        """
        if self._configuration.get("class_weights", "none") == "none":
            return None
        labels = torch.tensor([label for item in self._train for label in _flat(item.labels)])
        counts = torch.bincount(labels[labels != IGNORED], minlength=classes).float()
        return counts.sum() / (classes * counts.clamp(min=1))


def _flat(labels: object) -> Sequence[int]:
    return labels if isinstance(labels, tuple) else (labels,)
