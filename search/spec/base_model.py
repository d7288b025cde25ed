"""Checks that a spec's pretrained model exists and that its methods and sizes fit it.

Lengths and ranks are checked together and at their extremes: a search must not fail after hours in
one corner of its space.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from models.catalog import MODELS, Value, data_kind, needs_base
from models.networks.architectures import supported
from models.networks.base_model import BaseModel, locate_base
from search.spec.conditions import Parts
from search.spec.errors import Document, KeyPath
from search.spec.sections import Task

BASE_FORMS = ("a model folder", "hub:NAME", "hub:NAME@REVISION", "package:MODULE")
_PATH: KeyPath = ("task", "base")
# Models of RoBERTa's family count positions from after the padding token's number, 1.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert")


def check_base(document: Document, folder: Path, must_exist: bool) -> str | None:
    """Return the pretrained model, a folder as an absolute path; None without a legal one."""
    base, model = document.task.get("base"), document.model
    wants = model in MODELS and needs_base(model)
    if base is None:
        if wants:
            message = f"is missing: model {model} starts from a pretrained one"
            document.add(_PATH, message, allowed=BASE_FORMS)
        return None
    if not isinstance(base, str) or not base.strip():
        document.add(_PATH, "must be text", base, BASE_FORMS)
        return None
    if not wants:
        if model in MODELS or document.is_function:
            what = f"model {model}" if model else "a training function"
            document.add(_PATH, f"{what} starts from no pretrained one; remove it", base)
        return None
    kind, colon, name = base.partition(":")
    is_folder = not colon or kind not in ("hub", "package")
    if not is_folder and not name:
        document.add(_PATH, f"names nothing after {kind}:", base, BASE_FORMS)
        return None
    reference = str((folder / os.path.expanduser(base)).resolve()) if is_folder else base
    try:
        if must_exist:
            locate_base(reference)
    except ValueError as error:
        document.add(_PATH, str(error), base)
        return None
    return reference


def check_adaptation(
    document: Document,
    task: Task | None,
    settings: Mapping[str, Value],
    space: Parts,
    must_exist: bool,
) -> None:
    """Note every method, length and rank that the pretrained model cannot take."""
    if task is None or task.base is None or not must_exist:
        return
    base, kind = locate_base(task.base), data_kind(task.catalog_name)
    methods = _methods(task.catalog_name, settings, space)
    for path, method in methods.items():
        reason = supported(method, base.model_type, kind)
        if reason:
            document.add(path, reason, method)
    _check_lengths(document, base, methods.values(), settings, space)
    if "adalora" in methods.values():
        _check_ranks(document, settings, space)
    is_fixed = "gradient_checkpointing" in settings
    checkpointing = settings.get("gradient_checkpointing", "gradient_checkpointing" in space)
    if checkpointing and "prefix" in methods.values():
        message = "prefix tuning keeps keys and values in a cache that this cannot recompute"
        where = ("task", "settings") if is_fixed else ("space",)
        document.add((*where, "gradient_checkpointing"), f"{message}; leave out one of the two")


def _methods(model: str, settings: Mapping[str, Value], space: Parts) -> dict[KeyPath, str]:
    """Return every method that trials may use, by its place in the spec."""
    if "adaptation" not in MODELS[model]:
        return {}  # a network of the user's decides itself what trains
    if "adaptation" in space:
        choices = space["adaptation"].choices or ()
        where: KeyPath = ("space", "adaptation", "choices")
        return {(*where, index): str(method) for index, method in enumerate(choices)}
    default = MODELS[model]["adaptation"].default
    return {("task", "settings", "adaptation"): str(settings.get("adaptation", default))}


def _check_lengths(
    document: Document,
    base: BaseModel,
    methods: Collection[str],
    settings: Mapping[str, Value],
    space: Parts,
) -> None:
    """Note texts, with a prefix if there is one, that exceed the pretrained model's positions."""
    room = most_tokens(base.folder)
    if room is None or "max_length" not in MODELS[document.model]:
        return
    _, longest, path = _extremes("max_length", document, settings, space)
    if longest > room:
        message = f"is more than the {room} tokens that {base.name} takes; ask for at most those"
        document.add(path, message, longest)
        return
    if "prefix" not in methods:
        return
    _, prefix, path = _extremes("prefix.tokens", document, settings, space)
    if longest + prefix > room:
        document.add(
            path,
            f"and max_length {longest} are more than the {room} tokens that {base.name} "
            "takes; a prefix is placed before the text: shorten one of them",
            prefix,
        )


def _check_ranks(document: Document, settings: Mapping[str, Value], space: Parts) -> None:
    """Note a rank above AdaLoRA's initial one: it only prunes ranks."""
    _, most, path = _extremes("adalora.rank", document, settings, space)
    initial, _, _ = _extremes("adalora.initial_rank", document, settings, space)
    if most > initial:
        document.add(
            path,
            f"is more than adalora.initial_rank may be ({initial}), and ranks are only "
            "pruned; let it reach at most that",
            most,
        )


def most_tokens(folder: Path) -> int | None:
    """Return how many tokens the model in a folder takes; None if the folder does not say."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings", config.get("n_positions"))
    if positions is not None and config["model_type"] in _OFFSET_POSITIONS:
        positions -= 2
    tokenizer = folder / "tokenizer_config.json"
    stated = json.loads(tokenizer.read_text(encoding="utf-8")) if tokenizer.is_file() else {}
    counts = (positions, stated.get("model_max_length"))
    return min((int(each) for each in counts if each is not None), default=None)


def _extremes(
    name: str, document: Document, settings: Mapping[str, Value], space: Parts
) -> tuple[int, int, KeyPath]:
    """Return the least and the greatest value of a whole number, and the place of the greatest."""
    if name not in space:
        default = MODELS[document.model][name].default
        value = settings.get(name, default)
        size = int(default if isinstance(value, str) else value)  # text is noted with the settings
        return size, size, ("task", "settings", name)
    part = space[name]
    if part.choices:
        values = [int(choice) for choice in part.choices]
        return min(values), max(values), ("space", name, "choices")
    return int(part.low or 0), int(part.high or 0), ("space", name, "high")
