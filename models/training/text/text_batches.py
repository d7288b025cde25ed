"""What a transformer learns from texts: batches, losses, and how its answers are judged.

For classification, entities and dialogues alike; what differs between them is in `predict.py` (how
a model answers) and `evaluation.py` (what the answers are worth). Not for training itself
(`models/training/text_fine_tuning.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.embeddings.perturbed_logits import perturbed, zero_perturbation
from models.adversarial.embeddings.training import adversarial_step
from models.adversarial.embeddings.unit import pretrained_unit
from models.adversarial.threat_model import TextThreat
from models.data.sources import DataError
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.tokenizer import load_tokenizer
from models.networks.transformer import LoadedBase
from models.training.text.collate import collate, length_batches
from models.training.text.encoding import IGNORED, Encoder
from models.training.text.evaluation import TextEvaluation


class TextMaterial:
    """The texts of a task as one model sees them.

    Raises:
        DataError: the base has other labels than the data, or the data are of another kind.
    """

    def __init__(
        self,
        data: TextSplits,
        base: LoadedBase,
        configuration: Mapping[str, Value],
        threat: TextThreat,
    ) -> None:
        if data.kind != base.kind or data.label_names != base.label_names:
            raise DataError(
                f"{data.name} holds {data.kind} with labels {list(data.label_names)}, but the "
                f"model was loaded for {base.kind} with {list(base.label_names)}; load it again"
            )
        self._configuration, self._device = configuration, base.device
        length = int(configuration["max_length"])
        tokenizer = load_tokenizer(base.base.folder)
        self._encoder = Encoder(tokenizer, data.kind, data.label_names, length)
        self._train = self._encoder.encode(data.train.texts, data.train.labels)
        self._weights = self._class_weights(len(data.label_names))
        self.unit = pretrained_unit(base.embedding_table(), self._token_ids())
        self._judge = TextEvaluation(self._encoder, data, threat, self.unit)
        self.size = len(self._train)

    def batches(self, size: int, generator: torch.Generator | None) -> list[list[int]]:
        """Indices of each step's inputs; a long sentence is several inputs, one a window."""
        lengths = [len(item.input_ids) for item in self._train]
        return length_batches(lengths, size, generator)

    def tensors(self, index: Sequence[int]) -> dict[str, Tensor]:
        """The batch of these inputs, padded to its longest, on the device."""
        batch = collate([self._train[number] for number in index], self._encoder.tokenizer)
        return {name: tensor.to(self._device) for name, tensor in batch.items()}

    def weight(self, labels: Tensor) -> float:
        """What a batch's summed loss is divided by: its labels, each with its class's weight."""
        counted = labels[labels != IGNORED]
        return float(self._weights[counted].sum()) if self._weights is not None else counted.numel()

    def learn(
        self, model: nn.Module, batch: Mapping[str, Tensor], weight: float, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of this part of a batch; its summed loss over `weight`."""
        labels = batch["labels"]
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        mask = batch["attention_mask"]
        return adversarial_step(
            perturbed(model, inputs), lambda logits: self._loss(logits, labels) / weight,
            lambda ours, theirs: self._divergence(ours, theirs, labels) / weight,
            zero_perturbation(model, mask), mask, self._configuration, self.unit, noise,
            torch.autograd.backward,
        )  # fmt: skip

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss and figures of the clean validation split."""
        return self._judge.clean(model, "validation")

    def attack(self, model: nn.Module, *, is_last: bool) -> dict[str, float]:
        """Figures of attacked validation texts: the full attack at the end, a cheap one before."""
        return self._judge.attacked(model, is_last=is_last)

    def test(self, model: nn.Module) -> dict[str, float]:
        """Clean and fully attacked figures of the test split."""
        return self._judge.test(model)

    def names(self, *, is_last: bool) -> tuple[str, ...]:
        """Names of what `validate` and `attack` report."""
        return self._judge.names(is_last=is_last)

    def tables(self, model: nn.Module) -> dict[str, str]:
        """The validation split's tables, by file name."""
        return self._judge.tables(model)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Summed cross-entropy over labels; a decoder's logits foresee the next token."""
        if self._encoder.kind == "dialogue":
            logits, labels = logits[:, :-1], labels[:, 1:]
        return functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1),
            weight=None if self._weights is None else self._weights.to(logits.device),
            ignore_index=IGNORED, reduction="sum",
            label_smoothing=float(self._configuration["label_smoothing"]),
        )  # fmt: skip

    def _divergence(self, ours: Tensor, theirs: Tensor, labels: Tensor) -> Tensor:
        """Symmetrised Kullback-Leibler divergence, summed where there are labels (SMART, eq. 2)."""
        if self._encoder.kind == "dialogue":
            ours, theirs, labels = ours[:, :-1], theirs[:, :-1], labels[:, 1:]
        counted = labels.reshape(-1) != IGNORED
        one = functional.log_softmax(ours.reshape(-1, ours.shape[-1]).float(), -1)[counted]
        other = functional.log_softmax(theirs.reshape(-1, ours.shape[-1]).float(), -1)[counted]
        return ((one.exp() - other.exp()) * (one - other)).sum()

    def _class_weights(self, classes: int) -> Tensor | None:
        """Weights (classes,) that give every class of the training split the same sum, or None.

        n / (classes * count), as scikit-learn's "balanced"; a class without examples has no say.
        """
        if self._configuration.get("class_weights", "none") == "none":
            return None
        labels = torch.tensor([label for item in self._train for label in _flat(item.labels)])
        counts = torch.bincount(labels[labels != IGNORED], minlength=classes).float()
        return counts.sum() / (classes * counts.clamp(min=1))

    def _token_ids(self) -> list[int]:
        return [token for item in self._train for token in item.input_ids]


def _flat(labels: object) -> Sequence[int]:
    return labels if isinstance(labels, tuple) else (labels,)
