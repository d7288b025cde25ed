"""How the robustness of text models is judged, as settings alone. No torch: a spec checks it.

The attacks themselves are in models/adversarial/; image models have `models.catalog.Threat`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

TEXT_KINDS = ("classification", "entities", "dialogue")


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

    def cheap(self) -> TextThreat:
        """The same threat to `cheap_examples` of the examples alone."""
        return dataclasses.replace(self, examples=self.cheap_examples)
