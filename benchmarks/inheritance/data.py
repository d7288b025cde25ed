"""The data of the inheritance benchmark: five domains, what may be learned of them, a control.

A domain's training sentences that occur in the validation or test split of any domain, its own
included, are left out in every arm: so one checkpoint may serve every target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.data.text.selection import select_text
from models.data.text.splits import TextExamples, TextSplits
from search.apply.proposal_source import seed_of

KIND = "entities"
DOMAINS = ("ai", "literature", "music", "politics", "science")

Span = tuple[str, int]  # the entity type, or "" for a word outside; how many words


@dataclass(frozen=True)
class Domain:
    """A domain as every arm sees it.

    `dropped`: how many training sentences were left out because they are repeated, occur in the
    domain's own validation or test ("own"), or in that of another domain ("others").
    """

    splits: TextSplits
    dropped: Mapping[str, int]


def load_domains(folder: Path) -> dict[str, Domain]:
    """Return all domains, from `<folder>/crossner_<name>`.

    Raises:
        DataError: A folder is missing or damaged.
    """
    folders = {name: str(folder / f"crossner_{name}") for name in DOMAINS}
    domains = {}
    for name in DOMAINS:
        others = [folders[other] for other in DOMAINS if other != name]
        settings = {"path": folders[name], "deduplicate": True, "without": others}
        found = select_text(settings, KIND)
        dropped = {"repeated": found.repeated, "own": found.leaked, "others": found.removed}
        domains[name] = Domain(found.splits, dropped)
    return domains


def entity_types(label_names: Iterable[str]) -> set[str]:
    """Return the declared types of the tags: `{"person"}` of `("O", "B-person", "I-person")`."""
    return {name[2:] for name in label_names if name != "O"}


def source_of(target: str, label_names: Mapping[str, Sequence[str]]) -> str:
    """Return the one domain whose weights a target starts from, fixed before any result.

    That with most label names in common; of several the first by the alphabet.
    """
    own = set(label_names[target])
    others = sorted(name for name in label_names if name != target)
    return max(others, key=lambda name: len(own & set(label_names[name])))


def shuffled(splits: TextSplits, seed: int) -> TextSplits:
    """Return the same sentences, with labels that say nothing about their words.

    Entities move to random places of their sentence, and their types are permuted among all
    entities of the training split with as many words. So the tags stay valid IOB2, every tag is as
    frequent as before, and every sentence has entities of the same lengths.
    """
    generator = np.random.default_rng(seed_of(seed, "shuffled", splits.name))
    names = splits.label_names
    sentences = [_spans([names[tag] for tag in tags]) for tags in splits.train.labels]
    pools: dict[int, list[str]] = defaultdict(list)
    for spans in sentences:
        for kind, length in spans:
            if kind:
                pools[length].append(kind)
    for length in sorted(pools):
        pools[length] = [str(kind) for kind in generator.permutation(pools[length])]
    number = {name: tag for tag, name in enumerate(names)}
    labels = []
    for spans in sentences:
        drawn = [(pools[length].pop() if kind else "", length) for kind, length in spans]
        order = generator.permutation(len(drawn))
        labels.append(tuple(number[tag] for place in order for tag in _tags(drawn[place])))
    return replace(splits, train=TextExamples(splits.train.texts, tuple(labels)))


def _spans(tags: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    for tag in tags:
        if tag.startswith("I-"):
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((tag[2:], 1))
    return spans


def _tags(span: Span) -> list[str]:
    kind, length = span
    return [f"B-{kind}"] + [f"I-{kind}"] * (length - 1) if kind else ["O"]
