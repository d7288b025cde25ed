"""Whether the sizes of a fine-tuning fit the pretrained model and each other, at their extremes.

A space may hold values that only some trials would fail on; they are refused before the first one.
Not for the legal range of each on its own (`models/catalog.py`, `space.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.base_model import BaseModel
from models.catalog import MODELS, Value
from search.spec.conditions import Parts
from search.spec.errors import Document, KeyPath

# Models of RoBERTa's family count positions from behind the padding token's number, 1.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert")


@dataclass(frozen=True)
class _Extremes:
    """The least and the greatest value that a trial may take, and where the spec says so."""

    least: int
    most: int
    path_of_least: KeyPath
    path_of_most: KeyPath


def check_lengths(
    document: Document,
    base: BaseModel,
    model: str,
    methods: Collection[str],
    settings: Mapping[str, Value],
    space: Parts,
) -> None:
    """Note texts longer than the pretrained model has positions for, a prefix before them too."""
    room = most_tokens(base.folder)
    if room is None or "max_length" not in MODELS[model]:
        return
    longest = _extremes("max_length", model, settings, space)
    if longest.most > room:
        message = f"is more than the {room} tokens that {base.name} takes; ask for at most those"
        document.add(longest.path_of_most, message, longest.most)
        return
    prefix = _extremes("prefix.tokens", model, settings, space)
    if "prefix" in methods and longest.most + prefix.most > room:
        message = (
            f"and max_length {longest.most} are more than the {room} tokens that {base.name} "
            "takes; a prefix stands before the text: shorten one of them"
        )
        document.add(prefix.path_of_most, message, prefix.most)


def check_ranks(
    document: Document, model: str, settings: Mapping[str, Value], space: Parts
) -> None:
    """Note a rank that AdaLoRA could only reach by growing: it prunes from its initial one."""
    rank = _extremes("adalora.rank", model, settings, space)
    initial = _extremes("adalora.initial_rank", model, settings, space)
    if rank.most > initial.least:
        message = (
            f"is more than adalora.initial_rank may be ({initial.least}), and ranks are only "
            "pruned; let it reach at most that"
        )
        document.add(rank.path_of_most, message, rank.most)


def most_tokens(folder: Path) -> int | None:
    """How many tokens a model folder says the model takes; None if it does not say."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings", config.get("n_positions"))
    if positions is not None and config["model_type"] in _OFFSET_POSITIONS:
        positions -= 2
    tokenizer = folder / "tokenizer_config.json"
    stated = json.loads(tokenizer.read_text(encoding="utf-8")) if tokenizer.is_file() else {}
    counts = [each for each in (positions, stated.get("model_max_length")) if each is not None]
    return min(int(each) for each in counts) if counts else None


def _extremes(name: str, model: str, settings: Mapping[str, Value], space: Parts) -> _Extremes:
    """Of a whole number's values: searched, fixed in the settings, or the catalog's default."""
    if name not in space:
        value = int(settings.get(name, MODELS[model][name].default))
        path: KeyPath = ("task", "settings", name)
        return _Extremes(value, value, path, path)
    part = space[name]
    if part.choices:
        values = [int(choice) for choice in part.choices]
        path = ("space", name, "choices")
        return _Extremes(min(values), max(values), path, path)
    low, high = int(part.low or 0), int(part.high or 0)
    return _Extremes(low, high, ("space", name, "low"), ("space", name, "high"))
