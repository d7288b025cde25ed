"""The overlap of a model's training examples with the evaluation splits of another task.

It is checked before weights are transferred: how many examples of the target's validation and test
splits are among the examples that the source was trained on. Texts are compared in the normal form
of `models/data/text/deduplication.py` (case folded, whitespace collapsed, the words of a tagged
sentence joined, of a dialogue the prompt), images by their pixels. Near duplicates and the
pretraining data of a base are not detected.

An example of the target's validation or test split that is also in its own training split is
counted separately and does not prevent a transfer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.data.sources import Images
from models.data.text.deduplication import keys, normalised
from models.data.text.splits import TextExamples
from models.kinds import KINDS

SHOWN = 3
_LONGEST = 80


@dataclass(frozen=True)
class Overlap:
    """Examples of a target's splits that a source was trained on.

    `validation` and `test` are their indices, without those that are also in the target's own
    training split, which `known` counts. `compared` counts distinct training examples of the
    source. `shown` are a few of the texts.
    """

    validation: tuple[int, ...]
    test: tuple[int, ...]
    known: int
    compared: int
    shown: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of overlapping examples of both splits."""
        return len(self.validation) + len(self.test)

    def record(self) -> dict[str, Any]:
        """Return the overlap as JSON-ready data."""
        return {"count": self.count, **asdict(self)}


def text_keys(
    texts: Sequence[Sequence[str]], kind: str, *, apart: bool = False
) -> list[set[bytes]]:
    """Return the keys that each example is recognised by.

    Args:
        texts: as in `TextExamples`: (text,), (first, second), the words, or (prompt, answer).
        kind: one of `models.kinds.TEXT_KINDS`.
        apart: whether each text of a pair has a key of its own, for a source of single texts and
            a target of pairs, or vice versa.
    """
    if apart and KINDS[kind].has_text_class:
        return [{_digest(normalised(text)) for text in example} for example in texts]
    return [{_digest(key)} for key in keys(TextExamples(tuple(map(tuple, texts)), ()), kind)]


def image_keys(images: Images) -> list[set[bytes]]:
    """Return the key of each image (n, channels, height, width): a hash of pixels and shape."""
    shape = repr((images.dtype.str, images.shape[1:])).encode()
    return [{hashlib.sha256(shape + image.tobytes()).digest()} for image in images]


def overlap(source: Iterable[set[bytes]], target: Mapping[str, Sequence[set[bytes]]]) -> Overlap:
    """Compare keys of a source's training examples with the splits of a target.

    Args:
        source: the keys of each example.
        target: "train", "validation" and "test" to the keys of each example.
    """
    seen = set().union(*source)
    own = set().union(*target["train"])
    found: dict[str, tuple[int, ...]] = {}
    known = 0
    for split in ("validation", "test"):
        hits = [index for index, keys in enumerate(target[split]) if keys & seen]
        news = tuple(index for index in hits if not target[split][index] & own)
        found[split] = news
        known += len(hits) - len(news)
    return Overlap(found["validation"], found["test"], known, len(seen))


def overlap_of(sources: Sequence[Any], target: Any) -> Overlap:
    """Compare the training splits of sources (`TextSplits` or `ImageSplits`) with a target.

    Raises:
        ValueError: one holds images and another texts.
    """
    if len({hasattr(each, "train_images") for each in (*sources, target)}) != 1:
        raise ValueError("images and texts cannot be compared; fix: choose tasks of one kind")
    if hasattr(target, "train_images"):
        seen = [keys for each in sources for keys in image_keys(each.train_images)]
        splits = ("train", "validation", "test")
        return overlap(
            seen, {split: image_keys(getattr(target, f"{split}_images")) for split in splits}
        )
    widths = {_width(each) for each in (*sources, target)}
    apart = len(widths) > 1
    seen = [
        keys for each in sources for keys in text_keys(each.train.texts, each.kind, apart=apart)
    ]
    texts = {"train": target.train.texts, "validation": target.validation.texts,
             "test": target.test.texts}  # fmt: skip
    found = overlap(
        seen, {split: text_keys(each, target.kind, apart=apart) for split, each in texts.items()}
    )
    examples = [texts["validation"][index] for index in found.validation]
    examples += [texts["test"][index] for index in found.test]
    shown = tuple(" ".join(example)[:_LONGEST] for example in examples[:SHOWN])
    return replace(found, shown=shown)


def _width(splits: Any) -> int:
    """Return the number of texts in an example; a tagged sentence counts as one."""
    if splits.kind == "entities" or not splits.train.texts:
        return 1
    return len(splits.train.texts[0])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
