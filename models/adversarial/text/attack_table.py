"""The texts of an attack as a table for people: what was edited, and what it did."""

from __future__ import annotations

from models.adversarial.text.attack import AttackedText, AttackResult


def attack_table(result: AttackResult) -> str:
    """Every attacked example, those that the edits made worse first, before and after.

    What was wrong before the attack is counted and not shown, for nothing was tried on it.
    """
    attacked = [text for text in result.texts if text.is_attacked]
    before = len(result.texts) - len(attacked)
    lines = [
        f"{len(result.texts)} examples: {before} wrong before the attack, "
        f"{sum(text.is_worse for text in attacked)} made worse by it. "
        f"Figure {result.clean:.4f} clean, {result.robust:.4f} attacked (an upper bound).",
        "",
    ]
    for text in sorted(attacked, key=lambda each: (not each.is_worse, each.example)):
        lines += [_head(text), f"  was  {' | '.join(_shown(text, text.text))}"]
        if text.words_changed:
            lines.append(f"  now  {' | '.join(_shown(text, text.adversarial))}")
    return "\n".join(lines) + "\n"


def _head(text: AttackedText) -> str:
    state = "broken" if text.is_broken else "worse" if text.is_worse else "held"
    return (
        f"example {text.example}: {state}, {text.words_changed} of {text.words} words changed, "
        f"{text.queries} queries"
    )


def _shown(text: AttackedText, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Entities are words, shown as one sentence; the parts of a pair or dialogue stay apart."""
    return (" ".join(parts),) if text.clean.tags else parts
