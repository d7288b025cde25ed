"""Pairs for classification from several folders: a target in words, and a text about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.data.settings import DataSettings
from models.data.sources import SPLITS, DataError
from models.data.text.source import read_source
from models.data.text.splits import TextExamples, TextSource


def read_targets(settings: DataSettings) -> TextSource:
    """Return pairs: the target first, a text of its folder second.

    They are in the order of the targets' names, so that that of a specification does not matter.

    Raises:
        DataError: as `read_source`; or a folder has pairs already, or label names differ.
    """
    targets = settings.targets
    if not isinstance(targets, Mapping) or not targets:
        raise DataError(f"targets is {targets!r}; fix: give a mapping from targets to folders")
    parts = {str(target): str(targets[target]) for target in sorted(targets, key=str)}
    sources = {
        target: read_source(replace(settings, targets=None, path=folder), "classification")
        for target, folder in parts.items()
    }
    (first, expected), *_ = sources.items()
    for target, source in sources.items():
        if source.label_names != expected.label_names:
            raise DataError(
                f"targets {target!r} ({parts[target]}): label names {list(source.label_names)} "
                f"are not those of {first!r}, {list(expected.label_names)}; "
                "fix: use folders that agree"
            )
        if not target.strip() or len(source.splits["train"].texts[0]) > 1:
            problem = "has pairs already" if target.strip() else "has an empty target"
            raise DataError(
                f"{parts[target]}: {problem}; fix: give single texts and a target in words"
            )
    splits = {split: _joined({t: s.splits[split] for t, s in sources.items()}) for split in SPLITS}
    licences = dict.fromkeys(source.licence for source in sources.values())
    warnings = tuple(warning for source in sources.values() for warning in source.warnings)
    return TextSource("+".join(parts), splits, expected.label_names, "; ".join(licences), warnings)


def _joined(parts: Mapping[str, TextExamples]) -> TextExamples:
    groups = [group for part in parts.values() for group in part.groups or ()]
    return TextExamples(
        tuple((target, *texts) for target, part in parts.items() for texts in part.texts),
        tuple(label for part in parts.values() for label in part.labels),
        tuple(groups) or None,
    )
