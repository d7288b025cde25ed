"""The user's own code that a stored search names: whether it may be run, and whether it changed.

A name that is read from a store must not run code by itself, so every command that would import it
asks the user to repeat it. What it finds there must be what the search was measured with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.networks.own_code import PREFIX, SESSION, OwnCode, PassedCode, locate_code, parts_of
from search.spec.sections import Task


@dataclass(frozen=True)
class Allowed:
    """What a user allows a stored search to run.

    Attributes:
        code: `module:function`, as the search names it; None for nothing.
        is_changed: Whether the code may differ from that of the search's trials: the user says that
            the change does not affect what they measure.
        passed: The function itself, if a script or a notebook passes it.
    """

    code: str | None = None
    is_changed: bool = False
    passed: PassedCode | None = None


NOTHING = Allowed()


def require_allowed(name: str, task: Task, known: Mapping[str, Any], allowed: Allowed) -> str:
    """Check that the code of a stored search may run, and is that of its trials.

    Args:
        name: The search or trial, for messages.
        task: The task of its stored spec.
        known: The fingerprint of its task.
        allowed: What the user allows.

    Returns:
        What has changed since, in words; "" if nothing has.

    Raises:
        PermissionError: The user has not allowed this code, or it has changed.
        ValueError: It cannot be found.
    """
    if not task.code:
        return ""
    plain = task.code.removeprefix(PREFIX)
    module, function = parts_of(task.code)
    search, key = name.partition("#")[0], "network" if task.network else "train"
    found: PassedCode | OwnCode
    if module == SESSION:
        if allowed.passed is None:
            fix = f"pass it there, as search.resume({search!r}, {key}={function})"
            if name != search:  # a trial: what runs it again is another process
                fix = (f"write {function} into a module and search with {key}="
                       f"'{PREFIX}MODULE:{function}'; what that trains can be attacked, exported, "
                       "explained, repeated and started from")  # fmt: skip
            raise PermissionError(
                f"{name} runs {function}, which a script or a notebook passed and which is not "
                f"stored; fix: {fix}"
            )
        found, files = allowed.passed, ""
    else:
        if allowed.code is None or allowed.code.removeprefix(PREFIX) != plain:
            raise PermissionError(
                f"{name} runs {task.code}, a name read from the store; fix: if it is yours, add "
                f"--allow-code {plain} (in Python: {key}={plain!r})"
            )
        found = locate_code(task.code)
        files = f" ({', '.join(map(str, found.files.values()))})"
    before = known.get("code")
    if before == found.digest:
        return ""
    changed = f"the source of {plain} had the digest {before} and has {found.digest} now"
    if not allowed.is_changed:
        raise PermissionError(
            f"{name}: {changed}{files}; fix: restore it, or start a new search; if the change does "
            "not affect what trials measure, resume, attack and export take --changed-code (in "
            "Python: changed_code=True)"
        )
    return changed
