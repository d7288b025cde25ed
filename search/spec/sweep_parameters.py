"""One parameter of a W&B sweep as a hyperparameter of a spec, and what differs between the two.

Source: https://docs.wandb.ai/models/sweeps/sweep-config-keys, "parameters" and "Distribution
options for random and Bayesian search"; quantities that it leaves open are those of the package
`sweeps` (`params.py`, `config/schema.json`). Not for the file as a whole (`sweep_file.py`).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.space.values import brief, is_among
from search.spec.errors import Document, KeyPath

_RANGE, _QUANTIZED = ("min", "max"), ("min", "max", "q")
# Distribution -> the keys that it takes, in addition to `distribution`.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": _RANGE,
    "uniform": _RANGE,
    "q_uniform": _QUANTIZED,
    "log_uniform": _RANGE,
    "log_uniform_values": _RANGE,
    "q_log_uniform": _QUANTIZED,
    "q_log_uniform_values": _QUANTIZED,
    "inv_log_uniform": _RANGE,
    "inv_log_uniform_values": _RANGE,
    "normal": ("mu", "sigma"),
    "q_normal": ("mu", "sigma", "q"),
    "log_normal": ("mu", "sigma"),
    "q_log_normal": ("mu", "sigma", "q"),
    "beta": ("a", "b"),
    "q_beta": ("a", "b", "q"),
}
# Keys that may be left out, with what they are then.
_DEFAULTS = {"q": 1, "mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0}
_NOT_NEGATIVE = ("sigma", "a", "b")
# A normal distribution has no ends; 95.4 % of its draws lie within so many deviations of its mean.
DEVIATIONS = 2.0
# Digits of a number that was computed: exp(-9.210340371976182) is meant to be 1e-4.
DIGITS = 12


@dataclass(frozen=True)
class Translated:
    """A parameter in a spec's terms.

    Attributes:
        entry: The keys under `space`; None if it has a single value.
        value: That value, for `task.settings`.
        was: The parameter as the sweep has it, in words.
        differs: What is not as in the sweep, one sentence each.
    """

    was: str
    entry: Mapping[str, Any] | None = None
    value: Any = None
    differs: tuple[str, ...] = ()


def translate(document: Document, path: KeyPath, raw: Mapping[str, Any]) -> Translated | None:
    """Translate one parameter; note its mistakes and return None if it has any.

    Args:
        document: The sweep file.
        path: The place of the parameter in it.
        raw: Its keys.
    """
    kind = _kind(document, path, raw)
    if kind is None:
        return None
    before = len(document.problems)
    keys = DISTRIBUTIONS[kind]
    legal = ("distribution", *keys, *(["probabilities"] if kind == "categorical" else []))
    for key in raw:
        if key not in legal:
            document.add((*path, key), f"distribution {kind} has no such key; remove it", None)
    found: Translated | None
    if kind == "constant":
        found = _constant(raw["value"])
    elif "values" in keys:
        found = _categorical(document, path, raw)
    else:
        numbers = _numbers(document, path, raw, kind)
        found = _number(document, path, kind, numbers) if numbers else None
    return found if len(document.problems) == before else None


def _kind(document: Document, path: KeyPath, raw: Mapping[str, Any]) -> str | None:
    """Return the distribution of a parameter, stated or as W&B infers it."""
    stated = raw.get("distribution")
    if stated is not None:
        if not isinstance(stated, str) or stated not in DISTRIBUTIONS:
            message = "is no distribution of W&B's"
            document.add((*path, "distribution"), message, stated, DISTRIBUTIONS)
            return None
        missing = [key for key in DISTRIBUTIONS[stated] if key not in {*raw, *_DEFAULTS}]
        for key in missing:
            document.add((*path, key), f"is missing; distribution {stated} needs it")
        return None if missing else stated
    if "value" in raw:
        return "constant"
    if "values" in raw:
        return "categorical"
    if "min" in raw and "max" in raw:
        is_whole = all(type(raw[key]) is int for key in _RANGE)
        return "int_uniform" if is_whole else "uniform"
    keys = "value, values, min and max, parameters, or distribution"
    document.add(path, f"says nothing to search; give it {keys}")
    return None


def _numbers(
    document: Document, path: KeyPath, raw: Mapping[str, Any], kind: str
) -> dict[str, int | float] | None:
    """Return the numbers of a distribution; None if one is wrong, which is noted."""
    before = len(document.problems)
    found = {key: raw.get(key, _DEFAULTS.get(key)) for key in DISTRIBUTIONS[kind]}
    for key, number in found.items():
        place = (*path, key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            document.add(place, "must be a number", "null" if number is None else number)
        elif not _is_finite(number):
            document.add(place, "must be a finite number", number)
        elif kind == "int_uniform" and number != int(number):
            document.add(place, "must be a whole number with int_uniform", number)
        elif key == "q" and number <= 0:
            document.add(place, "must be above 0", number)
        elif key in _NOT_NEGATIVE and number < 0:
            document.add(place, "must be 0 or more", number)
    if len(document.problems) == before and "min" in found and found["min"] > found["max"]:
        message = f"must not be above max ({found['max']}); exchange the two"
        document.add((*path, "min"), message, found["min"])
    return found if len(document.problems) == before else None


def _number(
    document: Document, path: KeyPath, kind: str, numbers: dict[str, int | float]
) -> Translated | None:
    """Translate a distribution of numbers."""
    given = ", ".join(f"{key} {number}" for key, number in numbers.items())
    was, is_log, q = f"{kind} ({given})", "log" in kind, numbers.get("q")
    lost = ""
    try:
        low, high = _ends(kind, numbers)
        if is_log and low <= 0:
            document.add((*path, "min"), "must be above 0 with a logarithmic distribution", low)
            return None
        if q is None:
            entry = _entry("int" if kind == "int_uniform" else "float", low, high, is_log=is_log)
        else:
            entry, lost = _quantized(low, high, q, is_log=is_log)
    except OverflowError:
        what = "takes exponents of e; for the values themselves write log_uniform_values"
        document.add(path, f"has an end beyond all floats: {kind} {what}")
        return None
    differs = [lost] if lost else []
    if "normal" in kind:
        scale = "its logarithm is uniform" if is_log else "it is uniform"
        differs.append(f"{kind} has no counterpart: {scale} from {_text(low)} to {_text(high)}, "
                       "where 95 % of the draws lay; widen it if you want more")  # fmt: skip
    elif kind.endswith("beta") and (numbers["a"], numbers["b"]) != (1, 1):
        differs.append(f"{kind} has no counterpart: every value from 0 to 1 is as likely")
    if entry["low"] == entry["high"]:
        return Translated(was, value=entry["low"], differs=tuple(differs))
    return Translated(was, entry, differs=tuple(differs))


def _ends(kind: str, numbers: Mapping[str, int | float]) -> tuple[float, float]:
    """Return the range of a distribution; for `_log_` ones without `_values`, of the exponential.

    Raises:
        OverflowError: An exponent is beyond 709.
    """
    if "a" in numbers:
        return 0.0, 1.0
    if "mu" in numbers:
        reach = DEVIATIONS * numbers["sigma"]
        low, high = numbers["mu"] - reach, numbers["mu"] + reach
    else:
        low, high = numbers["min"], numbers["max"]
    if kind == "inv_log_uniform":  # log(1/x) is uniform: low and high change places
        low, high = -high, -low
    if "log" in kind and not kind.endswith("_values"):
        return _rounded(math.exp(low)), _rounded(math.exp(high))
    return (low, high) if "min" in numbers else (_rounded(low), _rounded(high))


def _quantized(
    low: float, high: float, q: int | float, *, is_log: bool
) -> tuple[dict[str, Any], str]:
    """Return the entry of multiples of q, and what differs: a logarithmic range has no steps.

    W&B rounds a draw to the nearest multiple, which may lie half a step outside the range. From an
    end in the middle between two multiples, draws go to the inner one.
    """
    first = math.floor(low / q + 0.5)
    ends = [step * q for step in (first, max(first, math.ceil(high / q - 0.5)))]
    kind = "int" if isinstance(q, int) else "float"
    ends = ends if kind == "int" else [_rounded(end) for end in ends]
    if not is_log:
        entry = _entry(kind, *ends, is_log=False)
        return entry | ({} if (kind, q) == ("int", 1) else {"step": q}), ""
    if kind == "int" and q == 1:
        lost = "W&B could draw 0 too, which has no logarithm" if ends[0] < 1 else ""
        return _entry("int", max(1, ends[0]), max(1, ends[1]), is_log=True), lost
    lost = (f"q {q} has no counterpart with a logarithm: values between its multiples are tried; "
            "fix: round to them in your function, or list them as choices")  # fmt: skip
    if kind == "int":
        return _entry("int", max(1, ends[0]), max(1, ends[1]), is_log=True), lost
    return _entry("float", low, high, is_log=True), lost


def _entry(kind: str, low: float, high: float, *, is_log: bool) -> dict[str, Any]:
    number = int if kind == "int" else float
    ends = {"low": number(low), "high": number(high)}
    return {"type": kind, **ends, **({"log": True} if is_log else {})}


def _constant(value: Any) -> Translated:
    plain, differs = _plain(value)
    return Translated(f"constant ({brief(value)})", value=plain, differs=differs)


def _categorical(document: Document, path: KeyPath, raw: Mapping[str, Any]) -> Translated | None:
    values, place = raw["values"], (*path, "values")
    if not isinstance(values, list) or not values:
        document.add(place, "must list at least one value", values)
        return None
    kept, lost = _likely(document, path, values, raw.get("probabilities"))
    choices: list[Any] = []
    differs = [lost] if lost else []
    for value in kept:
        plain, changed = _plain(value)
        differs += [each for each in changed if each not in differs]
        if not is_among(plain, choices):
            choices.append(plain)
    was = f"one of {', '.join(brief(value) for value in values)}"
    if len(choices) == 1:
        return Translated(was, value=choices[0], differs=tuple(differs))
    return Translated(was, {"type": "categorical", "choices": choices}, differs=tuple(differs))


def _likely(
    document: Document, path: KeyPath, values: list[Any], probabilities: Any
) -> tuple[list[Any], str]:
    """Return the values that may be drawn, and what is lost with their probabilities."""
    if probabilities is None:
        return values, ""
    place = (*path, "probabilities")
    is_listed = isinstance(probabilities, list) and len(probabilities) == len(values)
    if not is_listed:
        document.add(place, f"must list {len(values)} numbers, one a value", probabilities)
        return values, ""
    for index, each in enumerate(probabilities):
        if isinstance(each, bool) or not isinstance(each, int | float) or not each >= 0:
            document.add((*place, index), "must be a number of 0 or more", each)
            return values, ""
    kept = [value for value, each in zip(values, probabilities, strict=True) if each > 0]
    if not kept:
        document.add(place, "are all 0: nothing could be drawn", probabilities)
    if len(set(probabilities)) == 1:
        return values, ""
    text = "probabilities have no counterpart: at first every choice is as likely"
    return kept, text + ("; those of probability 0 are left out" if kept != values else "")


def _plain(value: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a value that a spec can hold, and what was changed: a list becomes its JSON text."""
    if isinstance(value, bool | str) or (isinstance(value, int | float) and _is_finite(value)):
        return value, ()
    text = json.dumps(value, default=str)
    return text, ("null, lists and mappings are no values here and became their JSON text; fix: "
                  "read it with json.loads in your function",)  # fmt: skip


def _is_finite(number: int | float) -> bool:
    """Return whether a number is finite as a float, which a whole one of 400 digits is not."""
    return abs(number) <= sys.float_info.max


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def _text(number: float) -> str:
    return f"{number:.6g}"
