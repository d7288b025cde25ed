"""Check: one result of `doctor`: what was checked, what was found, and how to fix it.

Also runs a check so that neither an error in it nor a machine that hangs stops the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One result of `doctor`.

    Attributes:
        name: The subject, a few words.
        status: "pass", "warning" (a search may run, and may disappoint) or "fail".
        found: What was found, with its numbers.
        fix: What to do; empty if it passed.
    """

    name: str
    status: Literal["pass", "warning", "fail"]
    found: str
    fix: str = ""

    def __post_init__(self) -> None:
        assert (self.status == "pass") != bool(self.fix), "what did not pass says how to fix it"


def passed(name: str, found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, "pass", found)


def warned(name: str, found: str, fix: str) -> Check:
    """Return a check that found what may disappoint."""
    return Check(name, "warning", found, fix)


def failed(name: str, found: str, fix: str) -> Check:
    """Return a check that found what spoils a search, or opens it to others."""
    return Check(name, "fail", found, fix)


def failed_if(name: str, problem: str, fix: str, otherwise: str) -> Check:
    """Return a check that failed with `problem`; if that is empty, it passed with `otherwise`."""
    return failed(name, problem, fix) if problem else passed(name, otherwise)


def run_check(name: str, check: Callable[[], Iterable[Check]], seconds: float) -> list[Check]:
    """Return what `check` returns, and a failed check if it raises or takes over `seconds`.

    The check runs in a thread of its own that is left behind when it hangs, for nothing can end a
    call into a file system that does not answer.
    """
    done: list[Check] = []

    def work() -> None:
        try:
            done.extend(check())
        except BaseException as error:  # whatever it is, the other checks go on
            fix = "fix what the message names, then run doctor again"
            # A ValueError is ours to a user, each of its lines a mistake; others may be pages long.
            found = str(error) if isinstance(error, ValueError) else in_a_line(error)
            done.append(failed(name, found, fix))

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        fix = "find out what hangs: a file system or a machine that does not answer"
        return [*done, failed(name, f"no answer within {seconds:.0f} s", fix)]
    return done


def in_a_line(error: BaseException) -> str:
    """Return an error's class and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return names in a line; of many, the first few and how many more."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
