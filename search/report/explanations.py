"""The report's section of explanations: pictures and pages that are stored with the best trials.

They are made by the final evaluation or by `twentieth explain`; here they are copied.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.history import Trial

# Of all best trials: the rest is said to be in the store.
TRIALS_SHOWN = 3
# All tags of a page that `models/explanations/text_page.py` writes. A page from a store with any
# other one could run a script in the browser of who reads the report. Styles load nothing without a
# parenthesis, an @ or a backslash.
_TAGS = re.compile(
    r"<!doctype html>|<html lang=\"en\">|<meta charset=\"utf-8\">|<style>[^<(@\\]*</style>"
    r"|<p class=\"what\">|<span style=\"background:rgba\([\d,.na]+\)\" title=\"[-+.\dnaif]+\">"
    r"|</?(?:html|head|title|body|h1|h2|p|span|sub)>"
)
_ORDER = ("right", "wrong", "attacked")
_INTRODUCTION = (
    "Red raised what the model predicts, blue lowered it (integrated gradients, on the test split; "
    "`explanation_summary.md` in the trial's artifacts says from which baseline and how exactly)."
)


def copy_explanations(
    best: Sequence[Trial], explanations: Mapping[str, Sequence[Path]], folder: Path
) -> dict[int, list[str]]:
    """Copies the explanations of the best trials into the report's folder.

    A page with anything but words and their colours stays in the store.

    Args:
        best: The best trials, sorted.
        explanations: Run id -> files.
        folder: The report's; files of an earlier report are replaced.

    Returns:
        The number of each explained trial -> names of its files there.
    """
    for file in folder.glob("trial_*_explanation_*"):
        file.unlink()
    explained = [trial for trial in best if explanations.get(trial.run_id)][:TRIALS_SHOWN]
    copied: dict[int, list[str]] = {}
    for trial in explained:
        shown = [file for file in explanations[trial.run_id] if _is_harmless(file)]
        for file in sorted(shown, key=_place):
            name = f"trial_{trial.number:03d}_{file.name}"
            shutil.copyfile(file, folder / name)
            copied.setdefault(trial.number, []).append(name)
    return copied


def _is_harmless(file: Path) -> bool:
    if file.suffix != ".html":
        return True
    return "<" not in _TAGS.sub("", file.read_text(encoding="utf-8", errors="replace"))


def _place(file: Path) -> tuple[int, str]:
    """Returns where a file stands: right examples first, attacked ones last."""
    group = file.stem.rpartition("_")[2]
    return (_ORDER.index(group) if group in _ORDER else len(_ORDER)), file.name


def explanations_section(copied: Mapping[int, Sequence[str]]) -> str:
    """Returns the section in Markdown; "" without an explained trial."""
    if not copied:
        return ""
    parts = [_INTRODUCTION]
    for number, names in copied.items():
        parts.append(f"### Trial {number}")
        for name in names:
            link = f"[{name.rpartition('.')[0]}]({name})"
            parts.append(f"!{link}" if name.endswith(".png") else link)
    return "\n\n".join(parts)
