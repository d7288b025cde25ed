"""A readable table of attacked texts: the edits and their effect."""

from __future__ import annotations

from collections.abc import Sequence

from models.adversarial.text.attack import AttackedText, AttackResult


def attack_table(result: AttackResult) -> str:
    """Return every attacked example before and after, those that became worse first.

    Examples misclassified before the attack are counted but not shown. A warning follows if the
    outputs of the model are not finite somewhere (`checks/not_finite.py` is the one of images).
    """
    attacked = [text for text in result.texts if text.is_attacked]
    before = len(result.texts) - len(attacked)
    lines = [
        f"{len(result.texts)} examples: {before} misclassified before the attack, "
        f"{sum(text.is_worse for text in attacked)} worse after it. "
        f"Metric: {result.clean:.4f} clean, {result.robust:.4f} attacked (an upper bound).",
        *_not_finite(result.texts),
        "",
    ]
    for text in sorted(attacked, key=lambda each: (not each.is_worse, each.example)):
        lines += [_head(text), f"  was  {' | '.join(_shown(text, text.text))}"]
        if text.words_changed:
            lines.append(f"  now  {' | '.join(_shown(text, text.adversarial))}")
    return "\n".join(lines) + "\n"


def _not_finite(texts: Sequence[AttackedText]) -> list[str]:
    before = sum(not text.clean.is_answer for text in texts)
    edited = sum(text.clean.is_answer and not text.attacked.is_answer for text in texts)
    if not before and not edited:
        return []
    return [
        f"Warning: outputs are not finite (NaN or infinite) for {before} of {len(texts)} examples, "
        f"and for {edited} more after an edit. Such an output is no answer and counts as "
        "misclassified without an attack, so the metric says nothing about how robust the model "
        "would be without this fault; fix: find the logarithm of zero, the division by zero or the "
        "overflow (a smaller learning rate, if the weights have grown), and train again."
    ]


def _head(text: AttackedText) -> str:
    state = "misclassified" if text.is_misclassified else "worse" if text.is_worse else "robust"
    return (
        f"example {text.example}: {state}, {text.words_changed} of {text.words} words changed, "
        f"{text.queries} queries"
    )


def _shown(text: AttackedText, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Join the words of entities to one sentence; keep the parts of a pair or dialogue."""
    return (" ".join(parts),) if text.clean.tags else parts
