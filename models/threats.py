"""How robustness is judged, as settings alone: `Threat` on images, `TextThreat` on texts.

No torch: a spec checks them. The attacks themselves are in models/adversarial/, the sizes that the
field attacks its data sets with in `epsilons.py`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

TEXT_KINDS = ("classification", "entities", "dialogue")


@dataclass(frozen=True)
class Threat:
    """How robustness is judged in a task; no trial can change it.

    Figures are upper bounds of the true robust accuracy: no attack need find the worst case.

    Attributes:
        norm: "linf" or "l2", over the pixels of an image.
        epsilon: size of the ball on the pixel scale [0, 1].
        steps: of each PGD in the full attack, which judges the picked weights.
        restarts: how often the full attack begins anew, each time from a random start.
        examples: most images that the full attack sees, of those the objectives are measured on.
        seed: cuts the validation split, and draws subsets and random starts.
        cheap_steps: of the PGD after every epoch, which has one restart.
        cheap_examples: most images that it sees, of those that the epoch is picked on.
        confirm_examples: most images that targeted APGD sees, of those the full attack saw.
        final_examples: test images that AutoAttack sees after the search; 0: no AutoAttack.

    Raises:
        ValueError: a setting is out of range.
    """

    norm: Literal["linf", "l2"] = "linf"
    epsilon: float = 0.1
    steps: int = 10
    restarts: int = 1
    examples: int = 297
    seed: int = 0
    cheap_steps: int = 3
    cheap_examples: int = 128
    confirm_examples: int = 128
    final_examples: int = 500

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2"):
            raise ValueError(f"norm is {self.norm!r}: choose 'linf' or 'l2'")
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"epsilon is {self.epsilon!r}: give a positive size in pixels [0, 1]")
        counts = ("steps", "restarts", "examples", "cheap_steps", "cheap_examples")
        for name in (*counts, "confirm_examples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give at least 1")
        for name in ("seed", "final_examples"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give 0 or more")
        if self.cheap_steps > self.steps:
            raise ValueError(f"cheap_steps ({self.cheap_steps}) must not exceed steps")

    def metric(self) -> str:
        """Name of the full robust accuracy, `accuracy.pgd10_linf_0.1`; x2 marks two restarts."""
        restarts = f"x{self.restarts}" if self.restarts > 1 else ""
        return f"accuracy.pgd{self.steps}{restarts}_{self._ball()}"

    def cheap_metric(self) -> str:
        """Name of the robust accuracy reported after every epoch."""
        return f"accuracy.pgd{self.cheap_steps}_{self._ball()}"

    def fgsm_metric(self) -> str:
        """Name of the accuracy under one gradient step."""
        return f"accuracy.fgsm_{self._ball()}"

    def apgd_metric(self) -> str:
        """Name of the accuracy under targeted APGD, which confirms the full figure."""
        return f"accuracy.apgdt_{self._ball()}"

    def autoattack_metric(self) -> str:
        """Name of the accuracy under AutoAttack."""
        return f"accuracy.autoattack_{self._ball()}"

    def worst_metric(self) -> str:
        """Name of the accuracy under every attack that was tried, per example the worst."""
        return f"accuracy.worst_{self._ball()}"

    def at(self, epsilon: float) -> Threat:
        """The same threat with another size of the ball.

        Raises:
            ValueError: the size is not positive and finite.
        """
        return dataclasses.replace(self, epsilon=epsilon)

    def _ball(self) -> str:
        text = f"{self.epsilon:.10g}"
        levels = round(self.epsilon * 255)
        # 8/255 is not a short decimal; the field writes it in grey levels.
        if len(text) > 6 and math.isclose(levels / 255, self.epsilon, rel_tol=1e-9):
            text = f"{levels}_255"
        return f"{self.norm}_{text}"


@dataclass(frozen=True)
class TextThreat:
    """How robustness to edits is judged in a task on texts; no trial can change it.

    `examples` of the validation split (all, if it has fewer) are attacked after the last epoch;
    `cheap_examples` of them, with the same caps, whenever a scheduler wants to know. Figures are
    upper bounds of the true robust figure: a greedy attack need not find the worst edit.

    Attributes:
        attack: "characters": typos inside words (DeepWordBug); "words": synonyms from a table.
        share: most words of a text that may be changed, as a share of them; at least one may.
        queries: most texts that the model may be asked to judge for one example.
        examples: how many examples are attacked.
        seed: of the examples and of the typos; every model meets the same.
        synonyms: file of the table (TSV or JSON) for "words"; empty for "characters".
        cheap_examples: how many are attacked on the way.

    Raises:
        ValueError: a setting is out of range, or the table is missing or would have no effect.
    """

    attack: Literal["characters", "words"] = "characters"
    share: float = 0.15
    queries: int = 200
    examples: int = 100
    seed: int = 0
    synonyms: str = ""
    cheap_examples: int = 32

    def __post_init__(self) -> None:
        if self.attack not in ("characters", "words"):
            raise ValueError(f"attack is {self.attack!r}: choose 'characters' or 'words'")
        # Written so that NaN, for which every comparison is false, is refused as well.
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share!r}: give a share of the words in (0, 1]")
        for name in ("queries", "examples", "cheap_examples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give at least 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}: give 0 or more")
        if self.cheap_examples > self.examples:
            raise ValueError(
                f"cheap_examples ({self.cheap_examples}) must not exceed examples ({self.examples})"
            )
        if self.attack == "words" and not self.synonyms:
            raise ValueError("synonyms is empty: the attack 'words' needs a synonym table (a file)")
        if self.attack == "characters" and self.synonyms:
            raise ValueError(
                f"synonyms is {self.synonyms!r}, which the attack 'characters' does not use: "
                "choose the attack 'words', or leave it out"
            )

    def metric(self, kind: str) -> str:
        """Name of the full robust figure: `accuracy.characters_0.15`, `f1.words_0.1`.

        Args:
            kind: of the task: "classification" and "dialogue" are judged by accuracy (in a
                dialogue the share of answer tokens predicted), "entities" by F1.

        Raises:
            ValueError: an unknown kind.
        """
        if kind not in TEXT_KINDS:
            raise ValueError(f"unknown kind of text task {kind!r}: there are {list(TEXT_KINDS)}")
        figure = "f1" if kind == "entities" else "accuracy"
        return f"{figure}.{self.attack}_{self.share:.10g}"

    def cheap_metric(self, kind: str) -> str:
        """Name of the robust figure on the way: the full one's with `_cheap32` behind it."""
        return f"{self.metric(kind)}_cheap{self.cheap_examples}"

    def embedding_metrics(self) -> tuple[str, str]:
        """Names of the diagnostic accuracies under FGM and PGD on the embeddings."""
        size = f"{self.share:.10g}"
        return f"accuracy.fgm_{size}", f"accuracy.pgd_embedding_{size}"

    def cheap(self) -> TextThreat:
        """The same threat to `cheap_examples` of the examples alone."""
        return dataclasses.replace(self, examples=self.cheap_examples)
