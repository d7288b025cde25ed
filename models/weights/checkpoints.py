"""Checkpoints of a trial: one per epoch, the newest complete one is used, two are kept.

`<folder>/generation_<g>/epoch_<e>.json` holds the metrics of every epoch so far and, if it has
plain values only (a user's function may need no torch), the training's state. A state with tensors
is in `epoch_<e>.pt` next to it and is read with `weights_only=True`. The JSON file is written last
and renamed into place, so a visible checkpoint is complete. Generations keep an abandoned driver
from overwriting its successor's checkpoints.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        epoch: The last epoch done.
        metrics: One dict for each epoch, first to last.
        state_file: The file of a state with tensors; None if the state is plain.
        plain_state: A state of plain values; empty if there is a file.
    """

    epoch: int
    metrics: tuple[dict[str, float], ...]
    state_file: Path | None
    plain_state: Mapping[str, Any]

    def load_state(self) -> dict[str, Any]:
        """Return the training's state; only tensors and plain values are loaded."""
        if self.state_file is None:
            return dict(self.plain_state)
        import torch

        state: dict[str, Any] = torch.load(self.state_file, map_location="cpu", weights_only=True)
        return state


def save_checkpoint(
    folder: Path,
    generation: int,
    epoch: int,
    metrics: Sequence[Mapping[str, float]],
    state: Mapping[str, object],
    kept: int = KEPT,
) -> None:
    """Write the checkpoint of `epoch` and remove all but the newest `kept` of this generation.

    Keep one at the end of a training: an earlier one of a transformer is three times as large, with
    the optimizer's state.

    Raises:
        OSError: the storage is full or fails otherwise. Earlier checkpoints stay, incomplete files
            are removed, and the same call may be repeated.
    """
    place = folder / f"generation_{generation}"
    place.mkdir(parents=True, exist_ok=True)
    is_plain = _is_plain(dict(state))
    try:
        if not is_plain:
            _write_state(place / "epoch.pt.new", state)
            (place / "epoch.pt.new").replace(place / f"epoch_{epoch:04d}.pt")
        record = {"epoch": epoch, "metrics": [dict(entry) for entry in metrics],
                  "state": dict(state) if is_plain else None}  # fmt: skip
        (place / "epoch.json.new").write_text(json.dumps(record))
        (place / "epoch.json.new").replace(place / f"epoch_{epoch:04d}.json")
    except OSError:
        for half in place.glob("epoch.*.new"):  # they take up room on a full disk
            half.unlink(missing_ok=True)
        raise
    for old in sorted(place.glob("epoch_*.json"), key=_number)[:-kept]:
        old.unlink(missing_ok=True)
        old.with_suffix(".pt").unlink(missing_ok=True)


def take_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Reserve `folder` for the trial with this identity (JSON-ready: configuration, seed).

    The number of a trial whose run was deleted is used again; the former owner's checkpoints belong
    to another configuration, so they are deleted.
    """
    file, text = folder / "trial.json", json.dumps(dict(identity), sort_keys=True)
    if file.exists() and file.read_text() == text:
        return
    if file.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "trial.json.new"
    temporary.write_text(text)
    temporary.replace(file)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the latest complete checkpoint of the latest generation that has one."""
    for place in sorted(folder.glob("generation_*"), key=_number, reverse=True):
        for file in sorted(place.glob("epoch_*.json"), key=_number, reverse=True):
            found = _read(file)
            if found is not None:
                return found
    return None


def _is_plain(value: object) -> bool:
    """Return whether a value survives JSON unchanged."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(value[key]) for key in value)
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _write_state(path: Path, state: Mapping[str, object]) -> None:
    import torch

    try:
        with path.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())  # the content must reach the disk before the name
    except RuntimeError as error:
        # torch reports a full disk as "unexpected pos 704 vs 598", with the OSError as context.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _read(file: Path) -> Checkpoint | None:
    try:
        record = json.loads(file.read_text())
        epoch, metrics = int(record["epoch"]), tuple(dict(entry) for entry in record["metrics"])
        state = record["state"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Any other OSError is raised: unreachable storage must not look like no checkpoint.
        return None
    state_file = file.with_suffix(".pt") if state is None else None
    if state_file is not None and not state_file.exists():
        return None
    return Checkpoint(epoch, metrics, state_file, state or {})


def _number(path: Path) -> int:
    match = re.search(r"(\d+)", path.stem)
    return int(match.group(1)) if match else -1
