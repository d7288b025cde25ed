"""Whether the parts of a spec mean something, on their own and together.

Each function reads one part of a document, notes every problem in it and returns what could be
read, so that one bad part does not hide the mistakes of the others. The task is in `task.py`,
the space in `space.py`, what is measured in `metrics.py`; keys and types are in `parts.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from models.catalog import MODELS, Hyperparameter, TextThreat, Threat
from search.spec.errors import Document, KeyPath
from search.spec.parts import Budget, Part, Resources, Sampler, Scheduler

SomePart = TypeVar("SomePart", bound=Part | Threat | TextThreat)


# Every option that a sampler takes, with its type or its choices. `warm` is ours (`apply/`); the
# others are Optuna's constructor arguments, without those that only code can give.
SAMPLER_OPTIONS: dict[str, dict[str, type | tuple[str, ...]]] = {
    "warm": {"portfolio": int, "control": int, "sampler": ("transfer", "tpe", "gp", "random")},
    "tpe": {
        "n_startup_trials": int,
        "n_ei_candidates": int,
        "multivariate": bool,
        "group": bool,
        "constant_liar": bool,
        "consider_endpoints": bool,
        "prior_weight": float,
    },
    "gp": {"n_startup_trials": int, "deterministic_objective": bool},
    "random": {},
}


def read_part(document: Document, path: KeyPath, kind: type[SomePart], raw: Any) -> SomePart | None:
    """One part from plain data, or None with its problems noted."""
    if not isinstance(raw, dict):
        message = "is empty" if raw is None else "must be a mapping"
        document.add(path, message, None if raw is None else raw, _keys(kind))
        return None
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            where = tuple(step for step in found["loc"] if step != "[key]")
            _note(document, (*path, *where), kind, dict(found))
        return None


def _note(document: Document, path: KeyPath, kind: type[SomePart], found: dict[str, Any]) -> None:
    """Say one of pydantic's findings in a spec's words."""
    if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        document.add(path, "unknown key", allowed=_keys(kind))
    elif found["type"] == "missing":
        document.add(path, "is missing")
    elif found["type"] == "literal_error":
        annotation = get_type_hints(kind)[str(path[-1])]
        choices = get_args(annotation) if get_origin(annotation) is Literal else ()
        document.add(path, "is none of the choices", found["input"], choices)
    elif found["type"] == "string_pattern_mismatch":
        message = "may hold letters, digits, `_` and `.` only, and starts with a letter"
        document.add(path, message, found["input"])
    else:
        message = str(found["msg"]).replace("Value error, ", "").replace("Input should", "must")
        message = message.replace("must be a valid tuple", "must be a list")
        value = "null" if found["input"] is None else found["input"]
        document.add(path, message.replace("valid dictionary", "mapping"), value)


def _keys(kind: type[SomePart]) -> list[str]:
    """The keys of a part as a file writes them: `from` is no name in Python."""
    if issubclass(kind, Part):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return [field.name for field in dataclasses.fields(kind)]


def read_value(document: Document, path: KeyPath, kind: Any, raw: Any) -> Any:
    """One plain value, or None with its problem noted."""
    if raw is None:
        document.add(path, "is missing")
        return None
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(document, path, Part, dict(found))
        return None


def known_hyperparameters(document: Document) -> Mapping[str, Hyperparameter] | None:
    """What the catalog says of the document's model; None for a function or an unknown model."""
    task = document.data.get("task")
    model = task.get("model") if isinstance(task, dict) else None
    return MODELS.get(model) if isinstance(model, str) else None


def check_sampler(document: Document, budget: Budget | None) -> Sampler | None:
    """The sampler, its options checked by name and type, and whether the budget holds them."""
    sampler = read_part(document, ("sampler",), Sampler, document.data.get("sampler", {}))
    if sampler is None:
        return None
    legal = SAMPLER_OPTIONS[sampler.name]
    for option, value in sampler.options.items():
        path = ("sampler", "options", option)
        if option not in legal:
            message = f"no option of sampler {sampler.name}"
            document.add(path, message if legal else f"{message}, which has none", allowed=legal)
            continue
        _check_option(document, path, legal[option], value)
        if option == "control" and isinstance(value, int) and budget is not None:
            most = budget.trials // 2  # it runs beside as many trials that know of history
            if value > most:
                message = f"must be {most} or less: half of budget.trials ({budget.trials})"
                document.add(path, message, value)
    return sampler


def check_resources(document: Document) -> Resources | None:
    """What a trial gets. Records of old searches may say more GPUs; no new one can use them."""
    resources = read_part(document, ("resources",), Resources, document.data.get("resources", {}))
    if resources is not None and resources.gpus > 1:
        message = (
            "must be at most 1: a trial trains on one GPU, the others would idle; to use several, "
            "raise resources.parallelism"
        )
        document.add(("resources", "gpus"), message, resources.gpus)
    if resources is not None and resources.accelerator and not resources.gpus:
        message = "is a kind of GPU, and resources.gpus is 0: set it, or leave this out"
        document.add(("resources", "accelerator"), message, resources.accelerator)
    return resources


def _check_option(
    document: Document, path: KeyPath, legal: type | tuple[str, ...], value: Any
) -> None:
    if isinstance(legal, tuple):
        if value not in legal:
            document.add(path, "is none of the choices", _shown(value), legal)
        return
    kinds = (int, float) if legal is float else (legal,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and legal is not bool):
        noun = {int: "a whole number", float: "a number", bool: "true or false"}[legal]
        document.add(path, f"must be {noun}", _shown(value))
    elif isinstance(value, int | float) and not 0 <= value < float("inf"):
        document.add(path, "must be 0 or more", value)


def check_scheduler(document: Document, budget: Budget | None) -> Scheduler | None:
    """The scheduler; a grace period that was not asked for is kept within the epochs."""
    path = ("scheduler",)
    scheduler = read_part(document, path, Scheduler, document.data.get("scheduler", {}))
    if scheduler is None:
        return None
    given = scheduler.model_fields_set - {"name"}
    if scheduler.name == "none":
        for key in sorted(given):
            document.add((*path, key), "scheduler none stops nothing; remove this key")
    elif budget is not None and scheduler.grace_epochs > budget.epochs:
        if "grace_epochs" in given:
            message = f"is more than budget.epochs ({budget.epochs}): no trial would be stopped"
            document.add((*path, "grace_epochs"), message, scheduler.grace_epochs)
        return scheduler.model_copy(update={"grace_epochs": budget.epochs})
    return scheduler


def _shown(value: Any) -> Any:
    return "null" if value is None else value
