"""The project speaks the field's words: none of those that were replaced comes back.

Looked at are identifiers, messages, tags, docstrings and comments of code and tests, and the pages
for readers. What was said when a result was logged stays as it was said (`results/`).
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("search", "models", "tests", "benchmarks", "docs", "deploy")
# What was said -> what the field says. In identifiers a word is what stands between underscores and
# capitals; in texts a phrase is found whatever its case.
WORDS = {
    "afar": "remote", "afresh": "re-initialised", "believing": "fantasize", "dear": "expensive",
    "figure": "metric, accuracy or value", "figures": "metrics, accuracies or values",
    "foreseen": "predictable", "forgiven": "retried", "judgement": "evaluation",
    "judgements": "evaluations", "leaning": "weighted", "leans": "weights", "mend": "fix",
    "mends": "fixes", "opinion": "prediction of a task", "opinions": "predictions of tasks",
    "receipt": "lineage", "receipts": "lineages", "situation": "context",
    "stranger": "unauthenticated client", "strangers": "unauthenticated clients",
    "travelling": "bundle", "witness": "adversarial example", "witnesses": "adversarial examples",
}  # fmt: skip
PHRASES = {
    "beside": "next to, in addition to", "false security": "gradient masking",
    "for want of": "without", "from afar": "remote", "left as found": "preserve state",
    "let go of": "dropped", "on afresh": "re-initialised", "the wrong way round": "inverted",
    "to be had": "available", "waits ahead": "is queued",
    "part a": "selection part", "part b": "objective part", "part c": "confirmation part",
}  # fmt: skip
# File -> the words it may use, each with its reason.
ALLOWED = {
    "tests/test_names.py": set(WORDS) | set(PHRASES),  # it lists them
    "models/data/text/dialogue/generate.py": {"dear"},  # shops of the data set: cheap and dear
}
# A figure of matplotlib's or plotly's is one, and so is one of a paper.
DRAWS = re.compile(r"new_figure|matplotlib|[pP]lotly|figure \d")


def files(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    pages = [name for name in listed if name.startswith(FOLDERS) or name.count("/") == 0]
    return [ROOT / name for name in pages if name.endswith(suffixes) and (ROOT / name).exists()]


def words_of(name: str) -> list[str]:
    """The words of an identifier: `left_outOf` is left, out, of."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def found_in(text: str) -> set[str]:
    """The replaced words and phrases of a text, one line or more."""
    flat = re.sub(r"[\s#]+", " ", text).lower()
    alone = set(re.findall(r"[a-z]+", flat))
    phrases = {phrase for phrase in PHRASES if re.search(rf"\b{phrase}\b", flat)}
    return (alone & set(WORDS)) | phrases


def replaced_in(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return found_in(text)
    found: set[str] = set()
    comment: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comment.append(token.string)
        elif token.type == tokenize.STRING:
            found |= found_in(token.string)
        elif token.type == tokenize.NAME:
            found |= set(words_of(token.string)) & set(WORDS)
    return found | found_in(" ".join(comment))


@pytest.mark.parametrize(
    "file", files(".py", ".md", ".yaml"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_no_replaced_word_comes_back(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    allowed = set(ALLOWED.get(name, ()))
    if file.suffix == ".py" and DRAWS.search(file.read_text(encoding="utf-8")):
        allowed |= {"figure", "figures"}
    assert not {word: (WORDS | PHRASES)[word] for word in replaced_in(file) - allowed}
