"""Generates the reference of the command line from the typer app."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from spec_pages import table, type_text
from typer.main import get_command

from search import __main__ as command_line
from search.session.screen import PROJECT


def commands() -> str:
    """Returns a heading, the help, the options and an example of each command."""
    return "\n\n".join(_command(name, command) for name, command in every_command())


def every_command() -> Iterator[tuple[str, Any]]:
    """Yields each command as it is typed after `twentieth`, and what typer made of it."""
    waiting = [("", get_command(command_line.app))]
    while waiting:
        name, command = waiting.pop(0)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            waiting += [(f"{name} {each}".strip(), found) for each, found in inner.items()]


def exit_codes() -> str:
    """Returns a table of the exit codes that the docstring of the command line lists."""
    listed = " ".join((inspect.getdoc(command_line) or "").split()).partition("an exit code: ")[2]
    return table(("exit code", "meaning"), re.findall(r"(\d+) ([^,.]+)", f"0 done, {listed}"))


def _command(name: str, command: Any) -> str:
    text = inspect.cleandoc(command.help or "").replace("<", "&lt;")
    parts = [f"## twentieth {name}", text]
    kinds = get_type_hints(inspect.unwrap(command.callback))
    rows = [
        _row(each, kinds[each.name])
        for each in command.params
        if each.name != "help" and not getattr(each, "hidden", False)
    ]
    if rows:
        parts.append(table(("argument or option", "value", "default", "meaning"), rows))
    if command.epilog:
        parts.append(f"```sh\n{command.epilog.removeprefix('Example: ')}\n```")
    return "\n\n".join(parts)


def _row(param: Any, kind: Any) -> tuple[str, str, str, str]:
    names = [param.metavar or param.name.upper()]
    value = "path" if Path in (kind, *getattr(kind, "__args__", ())) else type_text(kind)
    if param.param_type_name == "option":
        names = [*param.opts, *param.secondary_opts]
        value = "" if param.is_flag else param.metavar or value
    default = param.default() if callable(param.default) else param.default
    shown = "required" if param.required else ""
    if default not in (None, False, (), []):
        shown = f"`{_of_project(default)}`"
    if param.envvar:
        shown += f" or `${param.envvar}`"
    shown = shown.removeprefix("required or ").removeprefix(" or ")
    return " ".join(f"`{name}`" for name in names), value, shown, param.help or ""


def _of_project(default: Any) -> str:
    """Returns a default as text, with paths from the project's folder."""
    return str(default).replace(f"{PROJECT}/", "")
