"""Generates the reference of the spec from its pydantic models, and of the catalog's models.

Types, limits and defaults come from the annotations, meanings from the `Attributes:` of the
docstrings. A key without a meaning fails the build.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import StrictBool
from pydantic.fields import FieldInfo

from models.adversarial.threat_model import TextThreat, Threat
from models.catalog import MODELS
from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.apply import WarmStartSampler
from search.spec import SAMPLER_OPTIONS
from search.spec.initial_weights import InitialWeightsKeys
from search.spec.sections import (
    Budget,
    CheckedValue,
    Data,
    HistorySettings,
    HyperparameterSpec,
    Number,
    ObjectiveKeys,
    Resources,
    Sampler,
    Scheduler,
    Task,
)
from search.spec.spec import Spec

# Heading -> the class that declares the keys.
SECTIONS: dict[str, type[Any]] = {
    "Top level": Spec,
    "task": Task,
    "task.data": Data,
    "objectives": ObjectiveKeys,
    "space": HyperparameterSpec,
    "budget": Budget,
    "resources": Resources,
    "sampler": Sampler,
    "scheduler": Scheduler,
    "robustness (images)": Threat,
    "robustness (texts)": TextThreat,
    "history": HistorySettings,
    "initial_weights": InitialWeightsKeys,
}
NAMES: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "true or false"}
LIMITS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}
# Types that only a validator can check.
WORDS = [
    (Number, "number"),
    (CheckedValue, "number, true or false, or text"),
    (StrictBool, NAMES[bool]),
]


def sections() -> str:
    """Returns a heading, the summary of the class and a table of keys for each section."""
    return "\n\n".join(_section(heading, owner) for heading, owner in SECTIONS.items())


def sampler_options() -> str:
    """Returns a table of the options of every sampler."""
    ours = meanings(WarmStartSampler.__init__.__doc__ or "", "Args:")
    rows = [
        (
            f"`{sampler}`",
            f"`{name}`",
            type_text(kind),
            ours[name] if sampler == "warm" else "as in Optuna",
        )
        for sampler, options in SAMPLER_OPTIONS.items()
        for name, kind in options.items()
    ]
    return table(("sampler", "option", "type", "meaning"), rows)


def hyperparameters() -> str:
    """Returns a table of the hyperparameters of every model of the catalog."""
    parts = []
    for known in (
        each for at, each in enumerate(MODELS.values()) if each not in [*MODELS.values()][:at]
    ):
        models = [name for name, each in MODELS.items() if each == known]
        rows = []
        for each in known.values():
            values = (
                " ".join(f"`{_yaml(choice)}`" for choice in each.choices)
                if each.choices
                else f"{each.kind}, {_yaml(each.low)} to {_yaml(each.high)}"
            )
            when = "; ".join(
                f"{parent}: {', '.join(map(_yaml, allowed))}"
                for parent, allowed in each.when.items()
            )
            usual = f"`{_yaml(each.default)}`"
            default = f"that of `{each.default_from}`" if each.default_from else usual
            rows.append((f"`{each.name}`", values, default, when, each.meaning))
        columns = ("name", "legal values", "default", "active when", "meaning")
        parts.append(f"## {' and '.join(models)}\n\n" + table(columns, rows))
    return "\n\n".join(parts)


def _section(heading: str, owner: type[Any]) -> str:
    told = meanings(inspect.getdoc(owner) or "", "Attributes:")
    hints = get_type_hints(owner, include_extras=True)
    for name in {name for name, _, _ in _keys(owner)} - set(told):
        raise ValueError(f"{owner.__name__}.{name} has no meaning; fix: add it to `Attributes:`")
    rows = [
        (f"`{key}`", type_text(hints[name]), default, told[name])
        for name, key, default in _keys(owner)
    ]
    summary = (inspect.getdoc(owner) or "").split("\n\nAttributes:")[0]
    return f"## {heading}\n\n{summary}\n\n" + table(("key", "type", "default", "meaning"), rows)


def _keys(owner: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Yields each field: its name, its key in a spec, and its default."""
    if dataclasses.is_dataclass(owner):
        for each in dataclasses.fields(owner):
            default = each.default
            if isinstance(default, FieldInfo):
                default = default.default
            yield each.name, each.name, f"`{_yaml(default)}`"
        return
    for name, each in owner.model_fields.items():
        yield name, each.alias or name, "required" if each.is_required() else _default(each)


def _default(each: FieldInfo) -> str:
    default = each.get_default(call_default_factory=True, validated_data={})
    if dataclasses.is_dataclass(default) or hasattr(default, "model_fields"):
        return "its defaults"
    return "" if default in (None, "", {}, ()) else f"`{_yaml(default)}`"


def meanings(docstring: str, part: str) -> dict[str, str]:
    """Returns name -> meaning from the `Attributes:` or `Args:` of a docstring."""
    text = inspect.cleandoc(docstring).partition(f"\n{part}\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        start = re.match(r"    (\w+): (.*)", line)
        if start:
            name = start[1]
            found[name] = start[2]
        elif line.startswith("        ") and name:
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return {key: value[0].upper() + value[1:] for key, value in found.items()}


def type_text(kind: Any) -> str:
    """Returns a type in words: "whole number, at least 1"."""
    for known, words in WORDS:
        if kind == known:
            return words
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return ", ".join([type_text(args[0]), *_limits(args[1:])])
    if origin is Literal:
        return ", ".join(f"`{_yaml(value)}`" for value in args)
    if origin in (Union, UnionType):
        return " or ".join(
            dict.fromkeys(type_text(each) for each in args if each is not type(None))
        )
    if origin in (tuple, list):
        inner = type_text(args[0])
        return "list of sections" if inner == "section" else f"list of {inner}"
    if origin is dict or origin is Mapping:
        return "mapping" if args[1] is Any else f"mapping to {type_text(args[1])}"
    if isinstance(kind, type) and kind in SECTIONS.values():
        return "section"
    return NAMES.get(kind, "section")


def _limits(metadata: tuple[Any, ...]) -> Iterator[str]:
    for each in metadata:
        for limit in each.metadata if isinstance(each, FieldInfo) else ():
            if type(limit) in LIMITS and limit != Lt(LARGEST_COUNT):  # of every count
                word, name = LIMITS[type(limit)]
                yield f"{word} {_yaml(getattr(limit, name))}"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if value == "":
        return '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
