"""Whether a spec's pretrained model is there, its methods can adapt it, and sizes fit it.

Sizes (lengths, ranks) are looked at together and at their extremes: a search must not find out
after hours that one corner of its space cannot be trained.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.catalog import MODELS, Value, data_kind, needs_base
from models.networks.architectures import supported
from models.networks.base_model import BaseModel, locate_base
from search.spec.conditions import Parts
from search.spec.errors import Document, KeyPath
from search.spec.parts import Task

BASE_FORMS = ("a model folder", "hub:NAME", "hub:NAME@REVISION", "package:MODULE")
_PATH: KeyPath = ("task", "base")


def check_base(
    document: Document, task: Mapping[str, Any], folder: Path, must_exist: bool
) -> str | None:
    """Where the pretrained model is, a folder made absolute; None without a right one."""
    base, model = task.get("base"), task.get("model")
    wants = isinstance(model, str) and model in MODELS and needs_base(model)
    if base is None:
        if wants:
            message = f"is missing: model {model} starts from a pretrained one"
            document.add(_PATH, message, allowed=BASE_FORMS)
        return None
    if not isinstance(base, str) or not base.strip():
        document.add(_PATH, "must be text", base, BASE_FORMS)
        return None
    if not wants:
        if isinstance(model, str) and (model in MODELS or model.startswith("python:")):
            document.add(_PATH, f"model {model} starts from no pretrained one; remove it", base)
        return None
    kind, colon, name = base.partition(":")
    if colon and kind in ("hub", "package"):
        reference = base
        if not name:
            document.add(_PATH, f"names nothing after {kind}:", base, BASE_FORMS)
            return None
    else:
        reference = str((folder / Path(base).expanduser()).resolve())
    return reference if not must_exist or _is_found(document, reference, base) else None


def _is_found(document: Document, reference: str, written: str) -> bool:
    try:
        locate_base(reference)
    except ValueError as error:
        document.add(_PATH, str(error), written)
        return False
    return True


def check_adaptation(
    document: Document,
    task: Task | None,
    settings: Mapping[str, Value],
    space: Parts,
    must_exist: bool,
) -> None:
    """Note every method and length of text that the pretrained model cannot take."""
    if task is None or task.base is None or not must_exist:
        return
    base, kind = locate_base(task.base), data_kind(task.model)
    methods = _methods(task.model, settings, space)
    for path, method in methods.items():
        reason = supported(method, base.model_type, kind)
        if reason:
            document.add(path, reason, method)
    check_lengths(document, base, task.model, set(methods.values()), settings, space)
    if "adalora" in methods.values():
        check_ranks(document, task.model, settings, space)
    checkpointing = settings.get("gradient_checkpointing", "gradient_checkpointing" in space)
    if checkpointing and "prefix" in methods.values():
        message = "prefix tuning keeps keys and values in a cache that this cannot recompute"
        is_fixed = "gradient_checkpointing" in settings
        where = ("task", "settings") if is_fixed else ("space",)
        document.add((*where, "gradient_checkpointing"), f"{message}; leave out one of the two")


def _methods(model: str, settings: Mapping[str, Value], space: Parts) -> dict[KeyPath, str]:
    """Every method that trials may take, and where the spec says so."""
    if "adaptation" in space:
        choices = space["adaptation"].choices or ()
        where: KeyPath = ("space", "adaptation", "choices")
        return {(*where, index): str(method) for index, method in enumerate(choices)}
    default = MODELS[model]["adaptation"].default
    return {("task", "settings", "adaptation"): str(settings.get("adaptation", default))}


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
