"""Checkpoints of a trial: one an epoch, the newest complete one wins, two are kept.

`<folder>/generation_<g>/epoch_<e>.json` holds every epoch's metrics so far and, if it is plain
values alone (a user's function may need no torch), the training's state. A state with tensors is in
`epoch_<e>.pt` beside it and is read with `weights_only=True`. The JSON file is written last and
renamed into place, so a checkpoint that can be seen is complete. Generations keep a driver that was
given up from writing over its successor.
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
        epoch: The last one that it holds.
        metrics: One dict an epoch, first to last.
        state_file: The file of a state with tensors; None if the state is plain.
        plain_state: A state of plain values; empty if there is a file.
    """

    epoch: int
    metrics: tuple[dict[str, float], ...]
    state_file: Path | None
    plain_state: Mapping[str, Any]

    def load_state(self) -> dict[str, Any]:
        """Return the training's state. Refuses anything but tensors and plain values."""
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
    """Writes the checkpoint of `epoch` and removes all but the newest `kept` of this generation.

    The last one of a training needs no other beside it, which for a transformer would be three
    times as large: with the optimizer's state.

    Raises:
        OSError: the storage refuses, for want of room or otherwise. What was there stays, what is
            half written goes, and the same call may be made again.
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
        for half in place.glob("epoch.*.new"):  # on a full disk they would be in the way
            half.unlink(missing_ok=True)
        raise
    for old in sorted(place.glob("epoch_*.json"), key=_number)[:-kept]:
        old.unlink(missing_ok=True)
        old.with_suffix(".pt").unlink(missing_ok=True)


def take_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Makes `folder` that of the trial with this identity (JSON-ready: configuration, seed).

    A trial's number is given away again if its run was deleted; the checkpoints of the former owner
    must not be continued under another configuration, so they go.
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
    """The newest complete checkpoint: the latest generation that has one, its latest epoch."""
    for place in sorted(folder.glob("generation_*"), key=_number, reverse=True):
        for file in sorted(place.glob("epoch_*.json"), key=_number, reverse=True):
            found = _read(file)
            if found is not None:
                return found
    return None


def _is_plain(value: object) -> bool:
    """Whether JSON gives a value back as it was."""
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
            os.fsync(file.fileno())  # the name must not reach the disk before the content
    except RuntimeError as error:
        # torch hides a full disk: "unexpected pos 704 vs 598", with the OSError as its context.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _read(file: Path) -> Checkpoint | None:
    try:
        record = json.loads(file.read_text())
        epoch, metrics = int(record["epoch"]), tuple(dict(entry) for entry in record["metrics"])
        state = record["state"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return (
            None  # any other OSError: the storage is away, which must not look like no checkpoint
        )
    state_file = file.with_suffix(".pt") if state is None else None
    if state_file is not None and not state_file.exists():
        return None
    return Checkpoint(epoch, metrics, state_file, state or {})


def _number(path: Path) -> int:
    match = re.search(r"(\d+)", path.stem)
    return int(match.group(1)) if match else -1
