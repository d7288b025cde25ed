"""How robustness is judged, as settings alone: `Threat` on images, `TextThreat` on texts.

Keys, types, limits and defaults, declared once: the section `robustness:` of a spec is read as one
of these. No torch. The attacks themselves are in models/adversarial/, the sizes that the field
attacks its data sets with in `epsilons.py`, and the form of the names in `metric_names.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from models.hyperparameters.hyperparameter import Counted, NotNegative, Positive
from models.scores.metric_names import (
    EmbeddingAttack,
    MetricName,
    Norm,
    PixelAttack,
    TextAttack,
    ball_size,
    word_share,
)

TEXT_KINDS = ("classification", "entities", "dialogue")
_CHECKED = ConfigDict(extra="forbid")


def _read_fraction(value: Any) -> Any:
    """The field writes epsilon as `8/255`."""
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) == 2 and all(part.strip().isdecimal() for part in parts) and int(parts[1]):
        return int(parts[0]) / int(parts[1])
    return value


def _check_most(value: int, info: ValidationInfo, other: str) -> int:
    """Return a value that does not exceed that of another field; unchecked if that one is wrong.

    Raises:
        ValueError: it exceeds it.
    """
    most = info.data.get(other)
    if most is not None and value > most:
        raise ValueError(f"must not exceed {other} ({most})")
    return value


@dataclass(frozen=True, config=_CHECKED)
class Threat:
    """How robustness is judged in a task; no trial can change it.

    Values are upper bounds of the true robust accuracy: no attack need find the worst case.

    Attributes:
        norm: "linf" or "l2", over the pixels of an image.
        epsilon: size of the ball on the pixel scale [0, 1]; `"8/255"` is read, too.
        steps: of each PGD in the full attack, which judges the picked weights.
        restarts: how often the full attack begins anew, each time from a random start.
        examples: most images that the full attack sees, of those the objectives are measured on.
        seed: cuts the validation split, and draws subsets and random starts.
        cheap_steps: of the PGD after every epoch, which has one restart; at most `steps`.
        cheap_examples: most images that it sees, of those that the epoch is picked on.
        confirm_examples: most images that targeted APGD sees, of those the full attack saw.
        final_examples: test images that AutoAttack sees after the search; 0: no AutoAttack.

    Raises:
        ValueError: a setting is out of range or of another type.
    """

    norm: Norm = "linf"
    epsilon: Annotated[Positive, BeforeValidator(_read_fraction)] = 0.1
    steps: Counted = 10
    restarts: Counted = 1
    examples: Counted = 297
    seed: NotNegative = 0
    cheap_steps: Annotated[Counted, Field(validate_default=True)] = 3
    cheap_examples: Counted = 128
    confirm_examples: Counted = 128
    final_examples: NotNegative = 500

    @field_validator("cheap_steps")
    @classmethod
    def _check_cheap_steps(cls, value: int, info: ValidationInfo) -> int:
        return _check_most(value, info, "steps")

    def metric(self) -> str:
        """Name of the full robust accuracy, `accuracy.pgd10_linf_0.1`; x2 marks two restarts."""
        return self._metric("pgd", self.steps, self.restarts if self.restarts > 1 else None)

    def cheap_metric(self) -> str:
        """Name of the robust accuracy reported after every epoch."""
        return self._metric("pgd", self.cheap_steps)

    def fgsm_metric(self) -> str:
        """Name of the accuracy under one gradient step."""
        return self._metric("fgsm")

    def apgd_metric(self) -> str:
        """Name of the accuracy under targeted APGD, which confirms the full accuracy."""
        return self._metric("apgdt")

    def square_metric(self) -> str:
        """Name of the accuracy under Square, the part of AutoAttack without gradients."""
        return self._metric("square")

    def autoattack_metric(self) -> str:
        """Name of the accuracy under AutoAttack."""
        return self._metric("autoattack")

    def worst_metric(self) -> str:
        """Name of the accuracy under every attack that was tried, per example the worst."""
        return self._metric("worst")

    @property
    def ball(self) -> str:
        """The ball as names write it: `linf_8_255`."""
        return f"{self.norm}_{ball_size(self.epsilon)}"

    def at(self, epsilon: float) -> Threat:
        """The same threat with another size of the ball.

        Raises:
            ValueError: the size is not positive and finite.
        """
        return dataclasses.replace(self, epsilon=epsilon)

    def _metric(
        self, attack: PixelAttack, steps: int | None = None, restarts: int | None = None
    ) -> str:
        size = ball_size(self.epsilon)
        return str(
            MetricName(
                "accuracy", attack=attack, steps=steps, restarts=restarts, norm=self.norm, size=size
            )
        )


@dataclass(frozen=True, config=_CHECKED)
class TextThreat:
    """How robustness to edits is judged in a task on texts; no trial can change it.

    `examples` of the validation split (all, if it has fewer) are attacked after the last epoch;
    `cheap_examples` of them, with the same caps, whenever a scheduler wants to know. Values are
    upper bounds of the true robust one: a greedy attack need not find the worst edit.

    Attributes:
        attack: "characters": typos inside words (DeepWordBug); "words": synonyms from a table.
        share: most words of a text that may be changed, as a share of them; at least one may.
        queries: most texts that the model may be asked to judge for one example.
        examples: how many examples are attacked.
        seed: of the examples and of the typos; every model meets the same.
        synonyms: file of the table (TSV or JSON) for "words"; empty for "characters".
        cheap_examples: how many are attacked on the way; at most `examples`.

    Raises:
        ValueError: a setting is out of range or of another type, or the table is missing or would
            have no effect.
    """

    attack: TextAttack = "characters"
    share: Annotated[Positive, Field(le=1)] = 0.15
    queries: Counted = 200
    examples: Counted = 100
    seed: NotNegative = 0
    synonyms: Annotated[str, Field(validate_default=True)] = ""
    cheap_examples: Annotated[Counted, Field(validate_default=True)] = 32

    @field_validator("synonyms")
    @classmethod
    def _check_synonyms(cls, value: str, info: ValidationInfo) -> str:
        attack = info.data.get("attack")
        if attack == "words" and not value:
            raise ValueError("attack words needs a table of synonyms: name its file")
        if attack == "characters" and value:
            raise ValueError("attack characters uses no table; remove it, or choose attack: words")
        return value

    @field_validator("cheap_examples")
    @classmethod
    def _check_cheap_examples(cls, value: int, info: ValidationInfo) -> int:
        return _check_most(value, info, "examples")

    def metric(self, kind: str) -> str:
        """Name of the full robust metric: `accuracy.characters_0.15`, `f1.words_0.1`.

        Args:
            kind: of the task: "classification" and "dialogue" are judged by accuracy (in a
                dialogue the share of answer tokens predicted), "entities" by F1.

        Raises:
            ValueError: an unknown kind.
        """
        return str(self._metric(kind))

    def cheap_metric(self, kind: str) -> str:
        """Name of the robust metric on the way: the full one's with `_cheap32` behind it."""
        return str(dataclasses.replace(self._metric(kind), cheap_examples=self.cheap_examples))

    def embedding_metrics(self) -> tuple[str, str]:
        """Names of the diagnostic accuracies under FGM and PGD on the embeddings."""
        return self._embedding_metric("fgm"), self._embedding_metric("pgd_embedding")

    def cheap(self) -> TextThreat:
        """The same threat to `cheap_examples` of the examples alone."""
        return dataclasses.replace(self, examples=self.cheap_examples)

    def _metric(self, kind: str) -> MetricName:
        if kind not in TEXT_KINDS:
            raise ValueError(f"unknown kind of text task {kind!r}: there are {list(TEXT_KINDS)}")
        measure = "f1" if kind == "entities" else "accuracy"
        return MetricName(measure, attack=self.attack, size=word_share(self.share))

    def _embedding_metric(self, attack: EmbeddingAttack) -> str:
        return str(MetricName("accuracy", attack=attack, size=word_share(self.share)))
