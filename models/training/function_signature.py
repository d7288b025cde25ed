"""The two forms of a user's own training function, told apart by its signature.

`train(configuration, trial)` reports to `trial`; `train(configuration, *, epochs, seed)` is a
generator, and may take `state` to continue from. Imports no torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

Form = Literal["trial", "generator"]
FORMS = "`def train(configuration, trial)` or `def train(configuration, *, epochs, seed)`"
# What a generator is given by name, besides its configuration.
GIVEN = ("epochs", "seed", "state")


def form_of(function: Callable[..., Any]) -> Form:
    """Return which form a training function has.

    Raises:
        TypeError: it has neither; the message says what is wrong and both forms.
    """
    if inspect.isclass(function) or not callable(function):
        kind = "class" if inspect.isclass(function) else type(function).__name__
        raise TypeError(f"is a {kind} and no function; fix: write {FORMS}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("is an async function, which nobody awaits; fix: remove `async`")
    parameters = list(inspect.signature(function).parameters.values())
    names = [each.name for each in parameters]
    form = _form_by(parameters, names)
    if form is None:
        shown = f"takes ({', '.join(names)})" if names else "takes no arguments"
        raise TypeError(f"{shown}; fix: write {FORMS}")
    if form == "trial" and trial_argument(names) == "data":
        raise TypeError("takes (configuration, data), as what builds a network does; fix: name it "
                        f"in task.network (in Python: network=), or write {FORMS}")  # fmt: skip
    known = GIVEN if form == "generator" else (trial_argument(names),)
    unknown = [
        each.name for each in parameters[1:] if _is_required(each) and each.name not in known
    ]
    if unknown:
        raise TypeError(f"asks for {', '.join(unknown)}, which it is not given; fix: write "
                        f"{FORMS}, and read settings from the configuration")  # fmt: skip
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    missing = [name for name in ("epochs", "seed") if name not in names]
    if form == "generator" and missing and not takes_any:
        raise TypeError(f"takes no {' and no '.join(missing)}; fix: write {FORMS}")
    if form == "trial" and inspect.isgeneratorfunction(function):
        raise TypeError("takes `trial` and yields: it would never run; fix: call trial.report "
                        "instead of yield, or take epochs and seed instead of trial")  # fmt: skip
    return form


def takes_state(function: Callable[..., Any]) -> bool:
    """Return whether a generator asks for the state to continue from."""
    return "state" in inspect.signature(function).parameters


def trial_argument(names: Sequence[str]) -> str:
    """Return the name of the argument that a function of the form "trial" reports to."""
    return "trial" if "trial" in names else names[1]


def _form_by(parameters: list[inspect.Parameter], names: list[str]) -> Form | None:
    is_variable = [each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters]
    if "trial" in names[1:]:
        return "trial"
    if any(name in names for name in GIVEN) or any(is_variable):
        return "generator"
    return "trial" if len(parameters) >= 2 else None


def _is_required(parameter: inspect.Parameter) -> bool:
    is_variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not is_variable
