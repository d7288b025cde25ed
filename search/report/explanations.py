"""The report's section of explanations: pictures and pages that are stored with the best trials.

They are made by the final evaluation or by `twentieth explain`; here they are copied.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.history import Trial

# Of all best trials: the rest is said to be in the store.
TRIALS_SHOWN = 3
_ORDER = ("right", "wrong", "attacked")
_INTRODUCTION = (
    "Red raised what the model predicts, blue lowered it (integrated gradients, on the test split; "
    "`{prefix}summary.md` in the trial's artifacts says from which baseline and how exactly)."
)


def copy_explanations(
    best: Sequence[Trial], explanations: Mapping[str, Sequence[Path]], folder: Path
) -> dict[int, list[str]]:
    """Copies the explanations of the best trials into the report's folder.

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
        for file in sorted(explanations[trial.run_id], key=_place):
            name = f"trial_{trial.number:03d}_{file.name}"
            shutil.copyfile(file, folder / name)
            copied.setdefault(trial.number, []).append(name)
    return copied


def _place(file: Path) -> tuple[int, str]:
    """Returns where a file stands: right examples first, attacked ones last."""
    group = file.stem.rpartition("_")[2]
    return (_ORDER.index(group) if group in _ORDER else len(_ORDER)), file.name


def explanations_section(copied: Mapping[int, Sequence[str]]) -> str:
    """Returns the section in Markdown; "" without an explained trial."""
    if not copied:
        return ""
    parts = [_INTRODUCTION.format(prefix="explanation_")]
    for number, names in copied.items():
        parts.append(f"### Trial {number}")
        for name in names:
            link = f"[{name.rpartition('.')[0]}]({name})"
            parts.append(f"!{link}" if name.endswith(".png") else link)
    return "\n\n".join(parts)
