"""Explanations as pages: the words of texts on a coloured ground, and a table of how exact all are.

Texts and names of classes come from users and from stores, so all are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from models.explanations.images import ExplainedImage, View
from models.explanations.integrated_gradients import TOLERANCE, Attribution
from models.explanations.texts import ExplainedText, Reading

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/2 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
h2 {{ margin-top: 2em }} p {{ margin: .3em 0 }} .what {{ color: #555; font-size: 85% }}
span {{ padding: .2em .15em; border-radius: .2em }}</style></head><body>
<h1>{title}</h1>
<p class="what">Red words raised what is explained, blue ones lowered it; the number is by how much.
Integrated gradients from the embeddings of padding.</p>
"""
_GROUP_TITLES = {
    "right": "Right", "wrong": "Wrong", "attacked": "Worse under attack: before and after"
}  # fmt: skip
# Words whose value is at least this share of the largest have it written next to them.
_WRITTEN = 0.25


def text_page(examples: Sequence[ExplainedText], title: str) -> str:
    """Return an HTML page of explained texts, with no script and nothing loaded from elsewhere."""
    parts = [_HEAD.format(title=escape(title))]
    for group, heading in _GROUP_TITLES.items():
        members = [each for each in examples if each.group == group]
        if not members:
            continue
        parts.append(f"<h2>{heading}</h2>")
        for each in members:
            truth = f", truth: {each.truth}" if each.truth else ""
            for reading in each.readings:
                state = ", attacked" if reading is each.attacked else ""
                what = f"example {each.example}{state}{truth}, explained: {reading.explained}"
                parts.append(f'<p class="what">{escape(what)}</p><p>{_coloured(reading)}</p>')
    return "\n".join([*parts, "</body></html>\n"])


def exactness(examples: Sequence[ExplainedImage] | Sequence[ExplainedText], baseline: str) -> str:
    """Return a Markdown table of how complete each attribution is, and what it is relative to."""
    rows = [f"| {group} | {example} | {found.difference:.4f} | {found.delta:+.2g} "
            f"| {100 * found.relative_delta:.2f} % | {found.steps} |"
            for group, example, found in _attributions(examples)]  # fmt: skip
    incomplete = sum(not found.is_complete for _, _, found in _attributions(examples))
    note = (
        f"Integrated gradients (Sundararajan et al. 2017) from {baseline}. The attributions of an "
        "example add up to its difference of outputs, input minus baseline, but for the delta; "
        f"steps are doubled until it is at most {100 * TOLERANCE:.0f} %."
    )
    if incomplete:
        note += f" **{incomplete} of {len(rows)} did not get there: do not trust their values.**"
    head = "| group | example | difference | delta | of the difference | steps |"
    return "\n".join([note, "", head, "| --- | ---: | ---: | ---: | ---: | ---: |", *rows, ""])


def _attributions(
    examples: Sequence[ExplainedImage] | Sequence[ExplainedText],
) -> Iterator[tuple[str, int, Attribution]]:
    for each in examples:
        parts: list[View | Reading] = []
        parts += each.views if isinstance(each, ExplainedImage) else each.readings
        for number, part in enumerate(parts):
            group = f"{each.group}, after it" if number else each.group
            yield group, each.example, part.attribution


def _coloured(reading: Reading) -> str:
    largest = max((abs(value) for _, value in reading.words), default=0.0) or 1.0
    parts = []
    for word, value in reading.words:
        share = abs(value) / largest
        red, green, blue = (178, 24, 43) if value > 0 else (33, 102, 172)
        text = escape(word) + (f"<sub>{value:+.2f}</sub>" if share >= _WRITTEN else "")
        # Half opaque at most: black text stays readable on it.
        ground = f"rgba({red},{green},{blue},{share / 2:.2f})"
        parts.append(f'<span style="background:{ground}" title="{value:+.3f}">{text}</span>')
    return " ".join(parts)
