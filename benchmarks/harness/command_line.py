"""The command line that every benchmark has: its docstring as help, and the command as text."""

from __future__ import annotations

import argparse
import shlex
import sys


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose `--help` shows a module's docstring as it is written.

    Args:
        name: The module's, below `benchmarks`.
        description: Its docstring.
    """
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def command(name: str) -> str:
    """Return how a benchmark was started: `python -m benchmarks.NAME` and its arguments."""
    return shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]])
