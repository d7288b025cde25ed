"""Names of metrics: what was measured, under which attack, and on which split of the data.

Only this module writes and parses such names. `accuracy.pgd10x2_linf_8_255` is the accuracy under
10 steps of PGD from two random starts within 8/255 in the maximum norm, and `test.accuracy.clean`
the one on the test split without an attack. Any other name, as of a user's own training function,
is a plain metric. Imports no torch. Which metric is an objective is defined in a spec.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, cast, get_args

Norm = Literal["linf", "l2"]
# Where it was measured. A name without a split belongs to "validation": to the part of it that
# gives the objectives. The part "selection" picks the epoch, "confirmation" selects nothing.
Split = Literal["validation", "selection", "confirmation", "test"]

# Attacks on pixels in a ball; "worst" is the worst case of all of them, example by example.
AttackName = Literal["fgsm", "pgd", "apgdt", "square", "autoattack"]
PixelAttack = Literal[AttackName, "worst"]
# Edits of words; the size is the share of a text's words that may be changed.
TextAttack = Literal["characters", "words"]
# On the embeddings of a text; the size of the ball is derived from the same share.
EmbeddingAttack = Literal["fgm", "pgd_embedding"]
Attack = PixelAttack | TextAttack | EmbeddingAttack

_SPLITS: tuple[Split, ...] = tuple(each for each in get_args(Split) if each != "validation")
_UNCONFIRMED = "unconfirmed."
_CORRUPTED = "corrupted"
# Number of examples of a split, and of those that were attacked; of the entities in these.
_COUNTS = ("examples", "attacked_examples", "entities", "attacked_entities")
# Bounds of a metric's 95 % interval, where they do not follow from the number of examples.
Bound = Literal["low", "high"]
_BOUNDS: Mapping[Bound, str] = {"low": ".low_95", "high": ".high_95"}
# What is measured on examples; all else is a cost, or of the training.
_OF_EXAMPLES = ("accuracy", "f1", "precision", "recall", "matthews", "perplexity")
_SHARES = ("accuracy", "f1", "precision", "recall", "ndcg", "hit_rate", "mrr")
_SIZE = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def _names_of(attacks: object, form: str) -> re.Pattern[str]:
    """Compile a pattern of names from a form with {attack}, {count} and {size}."""
    attack = f"(?P<attack>{'|'.join(get_args(attacks))})"
    return re.compile(form.format(attack=attack, count=r"[1-9]\d*", size=_SIZE), re.ASCII)


_ATTACKED = (
    _names_of(
        PixelAttack,
        r"(?P<measure>accuracy)\.{attack}(?P<steps>{count})?(?:x(?P<restarts>{count}))?"
        r"_(?P<norm>linf|l2)_(?P<size>\d+_255|{size})",
    ),
    _names_of(
        TextAttack,
        r"(?P<measure>accuracy|f1|ndcg_at_{count})\.{attack}_(?P<size>{size})"
        r"(?:_cheap(?P<cheap_examples>{count}))?",
    ),
    _names_of(EmbeddingAttack, r"(?P<measure>accuracy)\.{attack}_(?P<size>{size})"),
)


@dataclass(frozen=True)
class MetricName:
    """A metric's name in its parts; `str()` writes it, `MetricName.parse` reads it.

    Attributes:
        measure: "accuracy", "f1", "ndcg_at_10", "seconds": the part before the first point.
        condition: The rest of a name without an attack: "clean", "train"; None without a point.
        split: Where it was measured.
        is_unconfirmed: Whether it is a value that a stronger attack has replaced.
        attack: The attack; None without one. Corruptions of images are no attack.
        steps: Steps of the attack; None if the name has none.
        restarts: Restarts of the attack; None for one.
        norm: Norm of the ball around the pixels; None for texts.
        size: Epsilon of the ball, or share of the words, as written: "0.1", "8_255".
        cheap_examples: Number of attacked examples of a cheap metric; None otherwise.
        bound: Whether it is a bound of the metric's 95 % interval; None for the metric itself.
    """

    measure: str
    condition: str | None = None
    split: Split = "validation"
    is_unconfirmed: bool = False
    attack: Attack | None = None
    steps: int | None = None
    restarts: int | None = None
    norm: Norm | None = None
    size: str = ""
    cheap_examples: int | None = None
    bound: Bound | None = None

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(name: str) -> MetricName:
        """Parse any name; `str` of the result is the name again."""
        for bound, suffix in _BOUNDS.items():
            if name.endswith(suffix):
                return replace(MetricName.parse(name.removesuffix(suffix)), bound=bound)
        for split in _SPLITS:
            if name.startswith(f"{split}."):
                return replace(_parse_plain(name.removeprefix(f"{split}.")), split=split)
        if name.startswith(_UNCONFIRMED):
            return replace(_parse_plain(name.removeprefix(_UNCONFIRMED)), is_unconfirmed=True)
        return _parse_plain(name)

    def __str__(self) -> str:
        if self.bound is not None:
            return f"{replace(self, bound=None)}{_BOUNDS[self.bound]}"
        prefix = "" if self.split == "validation" else f"{self.split}."
        if self.is_unconfirmed:
            prefix = _UNCONFIRMED
        if self.attack is None:
            rest = "" if self.condition is None else f".{self.condition}"
            return f"{prefix}{self.measure}{rest}"
        steps = "" if self.steps is None else str(self.steps)
        restarts = "" if self.restarts is None else f"x{self.restarts}"
        ball = self.size if self.norm is None else f"{self.norm}_{self.size}"
        cheap = "" if self.cheap_examples is None else f"_cheap{self.cheap_examples}"
        return f"{prefix}{self.measure}.{self.attack}{steps}{restarts}_{ball}{cheap}"

    def on(self, split: Split) -> MetricName:
        """Return the same metric on another split."""
        return replace(self, split=split)

    def bounded(self, bound: Bound) -> MetricName:
        """Return the name of a bound of its 95 % interval."""
        return replace(self, bound=bound)

    @property
    def is_attacked(self) -> bool:
        """Whether it was measured under an attack."""
        return self.attack is not None

    @property
    def is_upper_bound(self) -> bool:
        """Whether the true value may be lower, because an attack may miss the worst case."""
        return self.is_attacked

    @property
    def is_count(self) -> bool:
        """Whether it is the number of examples behind other metrics."""
        return str(self.on("validation")) in _COUNTS

    @property
    def is_share(self) -> bool:
        """Whether its values lie in [0, 1] by definition. Not of a metric without a point."""
        measure, _, _ = self.measure.partition("_at_")
        return measure in _SHARES and (self.is_attacked or self.condition is not None)

    @property
    def is_corrupted(self) -> bool:
        """Whether it is an accuracy on corrupted images."""
        kind, _, _ = (self.condition or "").partition("_")
        return self.measure == "accuracy" and kind == _CORRUPTED

    @property
    def epsilon(self) -> float | None:
        """Size of the ball around the pixels, on the scale [0, 1]; None without one."""
        if self.norm is None:
            return None
        above, _, below = self.size.partition("_")
        return float(above) / (float(below) if below else 1.0)

    @property
    def role(self) -> str:
        """The metric without its threat model: "accuracy.robust", or its own name.

        Values under different threats must never be mixed; ranks within a task may be compared.
        The F1 of entities under attack has the role "f1.robust", the NDCG@10 of a ranking
        "ndcg_at_10.robust". Only the attack that measures an objective has such a role, and only on
        the validation split.
        """
        if self.split != "validation" or self.is_unconfirmed or self.bound is not None:
            return str(self)
        is_pgd = self.attack == "pgd" and self.steps is not None
        is_robust = is_pgd or self.attack in get_args(TextAttack)
        return f"{self.measure}.robust" if is_robust else str(self)

    def is_share_of_examples(self, reported: Container[str]) -> bool:
        """Whether it is a share of examples, not of tokens, a mean over corruptions, or a loss.

        Args:
            reported: All metrics reported with it; a language model has a perplexity.
        """
        is_accuracy = self.measure.startswith("accuracy")
        if not is_accuracy or self.condition == "tokens" or self.is_corrupted:
            return False
        # A language model's accuracy is a share of tokens.
        return on_split(self.split, "perplexity") not in reported

    def examples_metric(self, reported: Container[str]) -> str | None:
        """Return the metric with the number of examples that this one was measured on.

        Args:
            reported: All metrics reported with it.

        Returns:
            A metric of the same split; None if the number is not reported with it, as for costs.
        """
        every, attacked = (on_split(self.split, name) for name in _COUNTS[:2])
        is_diagnostic = self.cheap_examples or self.attack in get_args(EmbeddingAttack)
        if not self.measure.startswith(_OF_EXAMPLES) or is_diagnostic:
            return None  # a cost; or of fewer examples, whose number is not reported
        if self.is_attacked and attacked in reported:
            return attacked
        # Images of the confirmation part are all attacked; texts need not be.
        is_of_all = not self.is_attacked or (self.norm and self.split == "confirmation")
        return every if is_of_all and every in reported else None

    def entities_metric(self, reported: Container[str]) -> str | None:
        """Return the metric with the number of true entities that this one counts; None if none.

        Args:
            reported: All metrics reported with it.
        """
        is_of_entities = self.measure in ("f1", "precision", "recall") and self.condition != "macro"
        is_of_entities = is_of_entities and not self.cheap_examples
        name = on_split(self.split, _COUNTS[3] if self.is_attacked else _COUNTS[2])
        return name if is_of_entities and name in reported else None


def on_split(split: Split, metric: str) -> str:
    """Return the name of a metric, given without a split, on a split."""
    return metric if split == "validation" else f"{split}.{metric}"


def corruption_metric(kind: str = "") -> str:
    """Return the name of the accuracy on images with a corruption; by default the mean of all."""
    return str(MetricName("accuracy", f"{_CORRUPTED}_{kind}" if kind else _CORRUPTED))


def unconfirmed(metric: str) -> str:
    """Return the name under which a value replaced by a stronger attack is kept."""
    return f"{_UNCONFIRMED}{metric}"


def ball_size(epsilon: float) -> str:
    """Return epsilon as names write it: "0.1", "1e-05", "8_255"."""
    text = f"{epsilon:.10g}"
    levels = round(epsilon * 255)
    # 8/255 is not a short decimal; the literature writes it in grey levels.
    if len(text) > 6 and math.isclose(levels / 255, epsilon, rel_tol=1e-9):
        text = f"{levels}_255"
    return text


def word_share(share: float) -> str:
    """Return a share of the words of a text as names write it: "0.15"."""
    return f"{share:.10g}"


def _parse_plain(name: str) -> MetricName:
    """Parse a name without a split."""
    found = next((match for each in _ATTACKED if (match := each.fullmatch(name))), None)
    if found is None:
        measure, point, condition = name.partition(".")
        return MetricName(measure, condition if point else None)
    parts = found.groupdict()
    return MetricName(
        parts["measure"],
        attack=cast(Attack, parts["attack"]),
        steps=_count(parts.get("steps")),
        restarts=_count(parts.get("restarts")),
        norm=cast(Norm | None, parts.get("norm")),
        size=parts["size"],
        cheap_examples=_count(parts.get("cheap_examples")),
    )


def _count(text: str | None) -> int | None:
    return None if text is None else int(text)
