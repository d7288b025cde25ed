"""Reads sections of a spec, and checks the sampler, the resources and the scheduler.

Each function reads one section of a document, notes every problem in it and returns what could be
read, so that one wrong section does not hide the mistakes of the others. The task is checked in
`task.py`, the space in `space.py`, the metrics in `metrics.py`; keys and types are in
`sections.py`.
"""

from __future__ import annotations

import dataclasses
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from models.catalog import TextThreat, Threat
from search.spec.errors import Document, KeyPath
from search.spec.sections import NAME_RULE, Budget, Part, Resources, Sampler, Scheduler

SomePart = TypeVar("SomePart", bound=Part | Threat | TextThreat)

_Count = Annotated[int, Field(strict=True, ge=0)]
# A thousandfold of Optuna's 24: their densities are an array with a column a trial.
_Candidates = Annotated[int, Field(strict=True, ge=1, le=24_000)]
_Weight = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
# Every option that a sampler takes, with its type. `warm` is ours (`apply/`); the others are
# Optuna's constructor arguments, without those that only code can give.
SAMPLER_OPTIONS: dict[str, dict[str, Any]] = {
    "warm": {
        "portfolio": _Count,
        "control": _Count,
        "cost": StrictBool,
        "confirm": StrictBool,
        "failures": StrictBool,
        "sampler": Literal["transfer", "tpe", "gp", "random"],
    },
    "tpe": {
        "n_startup_trials": _Count,
        "n_ei_candidates": _Candidates,
        "multivariate": StrictBool,
        "group": StrictBool,
        "constant_liar": StrictBool,
        "consider_endpoints": StrictBool,
        "prior_weight": _Weight,
    },
    "gp": {"n_startup_trials": _Count, "deterministic_objective": StrictBool},
    "random": {},
}
# Pydantic's words -> those of our messages.
_WORDS = {
    "Value error, ": "",
    "Input should": "must",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "less than ": "below ",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid dictionary": "a mapping",
}


def read_part(document: Document, path: KeyPath, kind: type[SomePart], raw: Any) -> SomePart | None:
    """Read a section from plain data; return None and note the problems if it is wrong."""
    if isinstance(raw, dict):
        part: SomePart | None = read_value(document, path, kind, raw)
        return part
    absent = "is empty" if path in document.places else "is missing"
    document.add(path, absent if raw is None else "must be a mapping", raw, _keys(kind))
    return None


def read_value(document: Document, path: KeyPath, kind: Any, raw: Any) -> Any:
    """Read a value of any type; return None and note the problems if it is wrong."""
    if raw is None:
        document.add(path, "is missing")
        return None
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            where = tuple(step for step in found["loc"] if step != "[key]")
            _note(document, (*path, *where), kind, dict(found))
        return None


def _note(document: Document, path: KeyPath, kind: Any, found: dict[str, Any]) -> None:
    """Note one of pydantic's findings in our words."""
    if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        document.add(path, "unknown key", allowed=_keys(kind))
    elif found["type"] == "missing":
        document.add(path, "is missing")
    elif found["type"] == "literal_error":
        is_plain = get_origin(kind) is Literal
        hint = kind if is_plain else get_type_hints(kind)[str(path[-1])]
        # Of an optional one the choices are within: Literal["a", "b"] | None.
        parts = [get_args(part) or (part,) for part in get_args(hint) if part is not NoneType]
        choices = [choice for part in parts for choice in part]
        document.add(path, "is none of the choices", found["input"], choices)
    elif found["type"] == "string_pattern_mismatch":
        document.add(path, NAME_RULE, found["input"])
    else:
        message = str(found["msg"])
        for theirs, ours in _WORDS.items():
            message = message.replace(theirs, ours)
        document.add(path, message, "null" if found["input"] is None else found["input"])


def _keys(kind: type[SomePart]) -> list[str]:
    """Return the keys of a section as a file writes them: `from` is no name in Python."""
    if issubclass(kind, Part):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return [field.name for field in dataclasses.fields(kind)]


def check_sampler(document: Document, budget: Budget | None) -> Sampler | None:
    """Read the sampler and check its options, and whether the budget has room for a control arm."""
    sampler = read_part(document, ("sampler",), Sampler, document.data.get("sampler", {}))
    if sampler is None:
        return None
    legal = SAMPLER_OPTIONS[sampler.name]
    for option, value in sampler.options.items():
        path = ("sampler", "options", option)
        if option not in legal:
            none = "" if legal else ", which has none"
            document.add(path, f"no option of sampler {sampler.name}{none}", allowed=legal)
            continue
        read_value(document, path, legal[option], value)
        # A control arm runs next to at least as many trials that know of history.
        if option == "control" and budget and isinstance(value, int) and value > budget.trials // 2:
            half = f"half of budget.trials ({budget.trials})"
            document.add(path, f"must be {budget.trials // 2} or less: {half}", value)
    return sampler


def check_resources(document: Document) -> Resources | None:
    """Read what a trial gets. Old records may hold more GPUs than one; no new search can."""
    resources = read_part(document, ("resources",), Resources, document.data.get("resources", {}))
    if resources is None:
        return None
    if resources.gpus > 1:
        document.add(
            ("resources", "gpus"),
            "must be at most 1: a trial trains on one GPU, the others would idle; to use several, "
            "raise resources.parallelism",
            resources.gpus,
        )
    if resources.accelerator and not resources.gpus:
        document.add(
            ("resources", "accelerator"),
            "is a kind of GPU, and resources.gpus is 0: set that, or remove this key",
            resources.accelerator,
        )
    return resources


def check_scheduler(document: Document, budget: Budget | None) -> Scheduler | None:
    """Read the scheduler; a first rung that the file states is at most the epochs."""
    scheduler = read_part(document, ("scheduler",), Scheduler, document.data.get("scheduler", {}))
    if scheduler is None:
        return None
    given = scheduler.model_fields_set - {"name"}
    if scheduler.name == "none":
        for key in sorted(given):
            document.add(
                ("scheduler", key),
                "scheduler none, the default, stops no trial; remove this key or name a scheduler",
            )
    elif budget is not None and scheduler.first_rung(budget.epochs) > budget.epochs:
        document.add(
            ("scheduler", "grace_epochs"),
            f"is more than budget.epochs ({budget.epochs}): no trial would be stopped",
            scheduler.grace_epochs,
        )
    return scheduler
