"""Reads YAML text into a Document: plain data and the line of every key.

Safe YAML only: no tags that build objects. Not for checking what the keys mean (`checks.py`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from search.spec.errors import Document, KeyPath, Problem, SpecError

# YAML 1.1 requires a point and a signed exponent in a float and reads 1e-3 as text.
_EXPONENT = re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$")

_SELF = "an anchor contains itself"

# The specs that ship with the package.
EXAMPLES = Path(__file__).parents[1] / "specs"


class Loader(yaml.SafeLoader):
    """A safe YAML loader that reads `1e-3` as a number."""


class Dumper(yaml.SafeDumper):
    """A safe YAML dumper that quotes the text "1e-3", which our loader reads as a number."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out: anchors make a file hard to edit."""
        return True


for kind in (Loader, Dumper):
    kind.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def read_file(path: Path) -> str:
    """Return the text of a spec file.

    Raises:
        SpecError: It is missing, a folder, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = f"there is no such file; {_file_instead_of(path)}"
    except IsADirectoryError:
        message = "this is a folder; name a YAML file in it"
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start}); save it as UTF-8"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    raise SpecError([Problem(str(path), None, "", None, message)])


def _file_instead_of(path: Path) -> str:
    """Return which file may be meant: an example of that name, or one in the same folder."""
    example = EXAMPLES / f"{path.stem}.yaml"
    if example.is_file():
        return f"fix: the example of that name is {example}"
    known = ", ".join(sorted(each.name for each in path.parent.glob("*.y*ml")))
    return f"in that folder: {known}" if known else "fix: name a YAML file"


def read_document(text: str, source: str) -> Document:
    """Parse a spec's text.

    Args:
        text: YAML.
        source: File name, for messages.

    Raises:
        SpecError: The text is no YAML mapping; nothing further can be checked then.
    """
    data, document = _parsed(text, source, ())
    if not isinstance(data, dict):
        message = f"the file holds a {type(data).__name__}, not a mapping of keys such as `name:`"
        raise SpecError([Problem(source, 1, "", None, message)])
    document.data.update(data)
    return document


def read_list(text: str, source: str, document: Document, key: str) -> None:
    """Parse a file that holds the list of one key, and put it into the document of a spec.

    Args:
        text: YAML.
        source: File name, for messages.
        document: Changed in place; what it had under the key is replaced.
        key: The key at the top level.

    Raises:
        SpecError: The text is no YAML list.
    """
    data, part = _parsed(text, source, (key,))
    if not isinstance(data, list):
        message = f"the file holds a {type(data).__name__}, not a list: begin each entry with `- `"
        raise SpecError([Problem(source, 1, "", None, message)])
    for place in [each for each in document.places if each[:1] == (key,)]:
        del document.places[place]
    document.data[key] = data
    document.places.update(part.places)
    document.problems.extend(part.problems)


def _parsed(text: str, source: str, path: KeyPath) -> tuple[Any, Document]:
    """Return the plain data of a text, and a document with its places and problems alone."""
    found = Document({}, source)
    try:
        node = yaml.compose(text, Loader)
        if isinstance(node, yaml.CollectionNode):
            _place(node, path, found, [])
        data = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise SpecError([_syntax_problem(error, source)]) from error
    # A date such as 2024-99-99; thousands of brackets.
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem(source, None, "", None, f"not readable: {error}")]) from error
    if data is None:
        raise SpecError([Problem(source, None, "", None, "the file is empty")])
    if any(problem.message == _SELF for problem in found.problems):
        raise SpecError(found.problems)
    return _with_text_keys(data), found


def _with_text_keys(value: Any) -> Any:
    """Return the data without keys that are not text; those were noted with their lines."""
    if isinstance(value, dict):
        return {k: _with_text_keys(item) for k, item in value.items() if isinstance(k, str)}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def _place(node: yaml.Node, path: KeyPath, document: Document, above: list[yaml.Node]) -> None:
    """Record the line of every key below a node, and note keys given twice."""
    if any(node is each for each in above):
        document.add(path, _SELF)
        return
    document.places.setdefault(path, (document.source, node.start_mark.line + 1))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _place(item, (*path, index), document, [*above, node])
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key, line = str(key_node.value), key_node.start_mark.line + 1
        inner = (*path, key)
        document.places[inner] = (document.source, line)
        if key_node.tag != "tag:yaml.org,2002:str":
            document.add(inner, "YAML does not read this key as text; put it in quotes")
        if key in seen:
            document.add(inner, f"given twice, first in line {seen[key]}; remove one")
        seen.setdefault(key, line)
        _place(value_node, inner, document, [*above, node])


def _syntax_problem(error: yaml.YAMLError, source: str) -> Problem:
    """Describe text that is not YAML."""
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "'\\t'" in message:
        message = "a tab in the indentation; YAML needs spaces"
    elif "expected a single document" in str(error):
        message = "more than one YAML document; keep one (no second `---`)"
    else:
        message = f"not YAML: {message}"
    return Problem(source, None if mark is None else mark.line + 1, "", None, message)
