"""The tables of entities and tags, read and compared with seqeval's and scikit-learn's reports."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from seqeval.metrics import classification_report as by_type
from seqeval.scheme import IOB2
from sklearn.metrics import classification_report as by_tag

Sentences = list[list[str]]
KEYS = ("precision", "recall", "f1-score", "support")
# Real corpora, where a checkout has them next to it.
CORPORA = Path(__file__).parents[3] / "shared" / "data" / "text"


def rows_of(table: str) -> dict[str, list[float]]:
    """Row -> precision, recall, F1 and support, of a table as text."""
    lines = [line.rsplit(maxsplit=4) for line in table.splitlines()[1:] if line.strip()]
    return {name.strip(): [float(value) for value in values] for name, *values in lines}


def tables_of(text: str) -> tuple[dict, dict]:
    """The rows of both tables, each without its title."""
    assert max(map(len, text.splitlines())) <= 80
    types, tags = text.split("Words by tag\n\n")
    return rows_of(types.removeprefix("Entities by type (seqeval, strict, IOB2)\n\n")), rows_of(
        tags
    )


def assert_tables_are_those_of_the_libraries(
    text: str, truth: Sentences, predicted: Sentences
) -> None:
    """Compares every row with seqeval's and scikit-learn's own reports, to four digits."""
    types, tags = tables_of(text)
    for ours, theirs in (
        (types, by_type(truth, predicted, mode="strict", scheme=IOB2, output_dict=True,
                        zero_division=0)),
        (tags, by_tag([*chain(*truth)], [*chain(*predicted)], output_dict=True, zero_division=0)),
    ):  # fmt: skip
        if "accuracy" in theirs:  # what scikit-learn calls the micro average over all classes
            right = theirs.pop("accuracy")
            support = theirs["macro avg"]["support"]
            theirs["micro avg"] = dict(zip(KEYS, (right, right, right, support), strict=True))
        assert {name for name in ours if not name.endswith("without O")} == set(theirs)
        for name, expected in theirs.items():
            assert ours[name] == pytest.approx([expected[key] for key in KEYS], abs=5e-5), name
    names = [name for name in tags if name.startswith(("B-", "I-"))]
    without = by_tag([*chain(*truth)], [*chain(*predicted)], labels=names, output_dict=True,
                     zero_division=0)  # fmt: skip
    for average in ("micro avg", "macro avg", "weighted avg"):
        found = tags[f"{average} without O"]
        assert found == pytest.approx([without[average][key] for key in KEYS], abs=5e-5)
