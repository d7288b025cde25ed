"""Generates the index of methods and papers from docstrings.

A docstring names its sources in a paragraph that begins with `Source:` or `Sources:`; that of a
module may also cite within its text, and then the sentences that cite count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from spec_pages import table

ROOT = Path(__file__).resolve().parents[2]
SOURCES = re.compile(r"(?:^|(?<=[.] ))Sources?(?: of [\w ]+)?: (.+)", re.DOTALL)
CITATION = re.compile(
    r"(?!In |Since )[A-Z][\w-]+(?: et al\.| (?:&|and) [A-Z][\w-]+)? (?:19|20)\d\d(?!-)"
)
SENTENCE = re.compile(r"(?<!al\.)(?<=[.;]) (?=[A-Z-])")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
TITLES = {
    "search/extract": "Extract: what history teaches",
    "search/apply": "Apply: the sampler",
    "search/objectives": "Objectives",
    "search/space": "Spaces",
    "search/optimize": "Optimize: early stopping",
    "search/transfer": "Transfer: the verdict",
    "models/adversarial": "Attacks and training against them",
    "models/explanations": "Explanations",
    "models/adaptation": "Fine-tuning methods",
    "models/hyperparameters": "Defaults of hyperparameters",
    "models/networks": "Networks",
    "models/training": "Training",
    "models/scores": "Metrics",
    "models/data": "Data",
    "models/weights": "Weights",
}


def papers() -> str:
    """Returns a table of methods for each folder: what the code does, its source, its file."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for file in sorted(
        path for part in ("search", "models") for path in (ROOT / part).rglob("*.py")
    ):
        name = file.relative_to(ROOT).as_posix()
        folder = "/".join(name.split("/")[:2])
        for method, source in sources_of(file.read_text(encoding="utf-8")):
            place, _, file_name = name.rpartition("/")
            row = (method, source, f"`{place}/`<br>`{file_name}`")
            groups.setdefault(folder, []).append(row)
    order = [*TITLES, *sorted(set(groups) - set(TITLES))]
    return "\n\n".join(
        f"## {TITLES.get(folder, folder)}\n\n" + table(("method", "source", "file"), groups[folder])
        for folder in order
        if folder in groups
    )


def sources_of(code: str) -> Iterator[tuple[str, str]]:
    """Yields the first sentence and the sources of each docstring of a file that names any."""
    for node in ast.walk(ast.parse(code)):
        text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
        first, *rest = [" ".join(each.split()) for each in (text or "").split("\n\n")]
        found = [match[1] for each in rest if (match := SOURCES.search(each))]
        if not found and isinstance(node, ast.Module):
            sentences = [each for paragraph in [first, *rest] for each in SENTENCE.split(paragraph)]
            found = [each for each in sentences if CITATION.search(each)]
        if found:
            yield first.rstrip("."), " ".join(found).rstrip(".;")
