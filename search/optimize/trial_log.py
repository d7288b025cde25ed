"""The log of a trial that runs a user's own code: what it prints and logs, in a file of its folder.

Ray's own files with the output of workers are gone with the machine. Output is redirected for the
whole process by its file descriptors, so that libraries in C and child processes are heard, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILES = "files"  # the folder of a trial that belongs to the user's own code
LOG = "log.txt"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_file(checkpoints: Path) -> Path:
    """Returns the log of a trial, given the folder of its checkpoints."""
    return checkpoints / FILES / LOG


def as_printed(text: str) -> str:
    """Returns a log as a terminal ends up showing it: of a progress bar the last state of a line.

    Control sequences are removed: the text is printed on another terminal.
    """
    lines = (_CONTROL.sub("", line) for line in text.split("\n"))
    states = ([part.rstrip() for part in line.split("\r") if part.strip()] for line in lines)
    return "\n".join(parts[-1] if parts else "" for parts in states)


@contextlib.contextmanager
def logged(file: Path | None) -> Iterator[None]:
    """Writes to a file what this process prints and logs meanwhile, from INFO on; None: nothing.

    If the file cannot be opened, output goes where it went before: a full disk fails no trial.
    """
    target = None if file is None else _opened(file)
    if target is None:
        yield
        return
    root = logging.getLogger()
    handler, level = _Unheard(target), root.level
    handler.setFormatter(logging.Formatter(_FORM))
    root.addHandler(handler)
    if level == logging.WARNING:  # nobody has chosen another
        root.setLevel(logging.INFO)
    _flush()
    before = {stream: os.dup(stream) for stream in _descriptors()}
    try:
        for stream in before:
            os.dup2(target.fileno(), stream)
        yield
    finally:
        _flush()
        for stream, old in before.items():
            os.dup2(old, stream)
            os.close(old)
        root.removeHandler(handler)
        if level == logging.WARNING:
            root.setLevel(level)
        target.close()


class _Unheard(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes records, unless another handler prints them already, as Lightning's own does."""

    def emit(self, record: logging.LogRecord) -> None:
        printed = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            streams = [getattr(each, "stream", None) for each in logger.handlers]
            if any(stream is not None and stream in printed for stream in streams):
                return
            logger = logger.parent if logger.propagate else None
        super().emit(record)


def _opened(file: Path) -> Any:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a", encoding="utf-8", errors="replace", buffering=1)
    except OSError:
        return None


def _descriptors() -> set[int]:
    """Returns the file descriptors of the output: 1 and 2, and in a test its own."""
    found = {1, 2}
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found.add(stream.fileno())
    return found


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
