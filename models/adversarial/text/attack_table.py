"""A readable table of attacked texts: the edits and their effect."""

from __future__ import annotations

from models.adversarial.text.attack import AttackedText, AttackResult


def attack_table(result: AttackResult) -> str:
    """Return every attacked example before and after, those that became worse first.

    Examples misclassified before the attack are counted but not shown.
    """
    attacked = [text for text in result.texts if text.is_attacked]
    before = len(result.texts) - len(attacked)
    lines = [
        f"{len(result.texts)} examples: {before} misclassified before the attack, "
        f"{sum(text.is_worse for text in attacked)} worse after it. "
        f"Metric: {result.clean:.4f} clean, {result.robust:.4f} attacked (an upper bound).",
        "",
    ]
    for text in sorted(attacked, key=lambda each: (not each.is_worse, each.example)):
        lines += [_head(text), f"  was  {' | '.join(_shown(text, text.text))}"]
        if text.words_changed:
            lines.append(f"  now  {' | '.join(_shown(text, text.adversarial))}")
    return "\n".join(lines) + "\n"


def _head(text: AttackedText) -> str:
    state = "misclassified" if text.is_misclassified else "worse" if text.is_worse else "robust"
    return (
        f"example {text.example}: {state}, {text.words_changed} of {text.words} words changed, "
        f"{text.queries} queries"
    )


def _shown(text: AttackedText, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Join the words of entities to one sentence; keep the parts of a pair or dialogue."""
    return (" ".join(parts),) if text.clean.tags else parts
