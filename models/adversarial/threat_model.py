"""The settings by which robustness is evaluated: `Threat` for images, `TextThreat` for texts.

Keys, types, limits and defaults are declared here only; the section `robustness:` of a spec is read
as one of these classes. Imports no torch. The attacks are in models/adversarial/, the usual
epsilons of data sets in `epsilons.py`, and the form of metric names in `metric_names.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from models.hyperparameters.hyperparameter import Counted, NotNegative, Positive
from models.kinds import KINDS, TEXT_KINDS
from models.scores.metric_names import (
    EmbeddingAttack,
    MetricName,
    Norm,
    PixelAttack,
    TextAttack,
    ball_size,
    word_share,
)

_CHECKED = ConfigDict(extra="forbid")


def _read_fraction(value: Any) -> Any:
    """Read an epsilon that is written as a fraction, `8/255`."""
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) == 2 and all(part.strip().isdecimal() for part in parts) and int(parts[1]):
        return int(parts[0]) / int(parts[1])
    return value


def _check_most(value: int, info: ValidationInfo, other: str) -> int:
    """Return the value if it does not exceed that of another field, which may be invalid itself.

    Raises:
        ValueError: the value is larger.
    """
    most = info.data.get(other)
    if most is not None and value > most:
        raise ValueError(f"must not exceed {other} ({most})")
    return value


@dataclass(frozen=True, config=_CHECKED)
class Threat:
    """How the robustness of image models is evaluated in a task; no trial can change it.

    Measured accuracies are upper bounds of the true robust accuracy: an attack may miss the worst
    case.

    Attributes:
        norm: "linf" or "l2", over the pixels of an image.
        epsilon: size of the ball on the pixel scale [0, 1]; `"8/255"` is accepted too. A spec
            without it takes the usual one for its data set and norm (`epsilons.py`), and is refused
            where there is none.
        steps: steps of each PGD of the full attack, which evaluates the selected weights.
        restarts: how often the full attack is run, each time from another random start.
        examples: the full attack uses at most so many images of the objective part.
        seed: seed of the validation parts, the subsets and the random starts.
        cheap_steps: steps of the PGD after every epoch, run once; below `steps`. A spec without it
            takes `steps - 1` if that is less.
        cheap_examples: that PGD uses at most so many images of the selection part.
        confirm_examples: targeted APGD and Square confirm on at most so many images of the full
            attack's.
        final_examples: test images that AutoAttack uses after the search; 0: no AutoAttack.
        doubtful: what becomes of a trial whose confirmation says that its robust accuracy may be
            false: `exclude` lets it fail with the reason; `keep` counts the accuracy as it is.

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
    doubtful: Literal["exclude", "keep"] = "exclude"

    @field_validator("cheap_steps")
    @classmethod
    def _check_cheap_steps(cls, value: int, info: ValidationInfo) -> int:
        return _check_most(value, info, "steps")

    def metric(self) -> str:
        """Return the full robust accuracy's name; with two restarts `accuracy.pgd10x2_linf_0.1`."""
        return self._metric("pgd", self.steps, self.restarts if self.restarts > 1 else None)

    def cheap_metric(self) -> str:
        """Return the name of the robust accuracy reported after every epoch."""
        return self._metric("pgd", self.cheap_steps)

    def fgsm_metric(self) -> str:
        """Return the name of the accuracy under one gradient step."""
        return self._metric("fgsm")

    def apgd_metric(self) -> str:
        """Return the name of the accuracy under targeted APGD, which confirms the full accuracy."""
        return self._metric("apgdt")

    def square_metric(self) -> str:
        """Return the name of the accuracy under Square, AutoAttack's attack without gradients."""
        return self._metric("square")

    def autoattack_metric(self) -> str:
        """Return the name of the accuracy under AutoAttack."""
        return self._metric("autoattack")

    def worst_metric(self) -> str:
        """Return the name of the worst-case accuracy over all attacks that were run."""
        return self._metric("worst")

    @property
    def ball(self) -> str:
        """The ball as it appears in metric names: `linf_8_255`."""
        return f"{self.norm}_{ball_size(self.epsilon)}"

    def at(self, epsilon: float) -> Threat:
        """Return the same threat with another epsilon.

        Raises:
            ValueError: epsilon is not positive and finite.
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
    """How robustness to text edits is evaluated in a task; no trial can change it.

    `examples` of the validation split (all, if it has fewer) are attacked after the last epoch, and
    `cheap_examples` of them, with the same caps, after every epoch. Measured values are upper
    bounds of the true robust metric: a greedy attack may miss the worst edit.

    Attributes:
        attack: "characters": typos inside words (DeepWordBug); "words": synonyms from a table.
        share: largest share of a text's words that may be changed; one word always may.
        queries: how many edited texts the model may be queried with for one example.
        examples: number of examples attacked after the last epoch; of a ranking at most so many, in
            whole groups.
        seed: seed of the examples and of the typos, which are the same for every model.
        synonyms: file of the table (TSV or JSON) for "words"; empty for "characters".
        cheap_examples: number of examples attacked after every epoch; at most `examples`.

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
            raise ValueError(
                "attack words needs a table of synonyms; fix: set synonyms to its file"
            )
        if attack == "characters" and value:
            raise ValueError(
                "attack characters uses no table; fix: remove synonyms, or set attack: words"
            )
        return value

    @field_validator("cheap_examples")
    @classmethod
    def _check_cheap_examples(cls, value: int, info: ValidationInfo) -> int:
        return _check_most(value, info, "examples")

    def metric(self, kind: str) -> str:
        """Return the name of the full robust metric: `accuracy.characters_0.15`, `f1.words_0.1`.

        Args:
            kind: one of `models.kinds.TEXT_KINDS`; its record says what an attack lowers.

        Raises:
            ValueError: an unknown kind.
        """
        return str(self._metric(kind))

    def cheap_metric(self, kind: str) -> str:
        """Return the name of the cheap robust metric: the full one's with the suffix `_cheap32`."""
        return str(dataclasses.replace(self._metric(kind), cheap_examples=self.cheap_examples))

    def embedding_metrics(self) -> tuple[str, str]:
        """Return the names of the diagnostic accuracies under FGM and PGD on the embeddings."""
        return self._embedding_metric("fgm"), self._embedding_metric("pgd_embedding")

    def cheap(self) -> TextThreat:
        """Return the same threat with `cheap_examples` examples."""
        return dataclasses.replace(self, examples=self.cheap_examples)

    def _metric(self, kind: str) -> MetricName:
        if kind not in TEXT_KINDS:
            raise ValueError(f"unknown kind of text task {kind!r}: there are {list(TEXT_KINDS)}")
        return MetricName(KINDS[kind].robust, attack=self.attack, size=word_share(self.share))

    def _embedding_metric(self, attack: EmbeddingAttack) -> str:
        return str(MetricName("accuracy", attack=attack, size=word_share(self.share)))
