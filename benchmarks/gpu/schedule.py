"""Runs the parts one after another within a deadline, each for its own seconds at most.

All parts run in one worker process, so that what they import is imported once. A part that does not
end in time, or leaves the GPU unusable, costs its worker: it is ended, and the next part gets a new
one. After each part its JSON file is written, so a run that is cut short has what it had.
"""

from __future__ import annotations

import importlib
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.gpu.part import NO_TIME, Findings, NotRun, Setting

# Beyond its seconds a part gets so many, and this share of them, to say what it has.
_GRACE = 20.0
_GRACE_SHARE = 0.25
# After such an error every further call on the GPU fails.
_UNUSABLE = ("cuda error", "device-side assert", "illegal memory access", "unspecified launch")


@dataclass(frozen=True)
class Part:
    """A part: its name in files, what it shows, its module, and its seconds when sizes are full."""

    name: str
    shows: str
    module: str
    seconds: float


# In the order of their worth: what time leaves out is at the end. On a GPU all together 450 s.
PARTS = (
    Part("marked_tests", "The tests marked gpu that need no Ray", "marked_tests", 60),
    Part("convolutional_networks", "The CNN, plain and residual: images a second by precision and "
         "memory format", "convolutional_networks", 40),
    Part("packing", "Packed members against the loop and against processes",
         "packing.probe", 130),
    Part("packing_lora", "LoRA members on one frozen base, packed", "packing.lora_probe", 45),
    Part("training_under_attack", "FGSM, PGD and TRADES in training", "training_under_attack", 40),
    Part("attacks", "Each attack in float32, and its cost", "attacks", 40),
    Part("encoder", "An encoder of MiniLM's size: full, LoRA and adapters in bfloat16",
         "encoder", 40),
    Part("out_of_memory", "Out of memory on purpose, and what is recorded of it",
         "out_of_memory", 15),
    Part("side_by_side", "Two and four processes at once against one", "side_by_side", 35),
    Part("checkpoints", "Checkpoints continued on the other device", "checkpoints", 15),
)  # fmt: skip


def run_parts(
    parts: tuple[Part, ...],
    device: str,
    *,
    is_full: bool,
    minutes: float,
    keep: Callable[[Part, Mapping[str, Any]], None],
) -> None:
    """Run parts until the deadline; `keep` gets each part and its record, as it ends.

    A record has "status" ("ran", "failed", "not run"), "reason", "seconds", and, if it ran, what
    `Findings` has.

    Args:
        parts: in this order.
        device: "cuda" or "cpu".
        is_full: whether sizes are those of the claim.
        minutes: all parts together; each part's share is its seconds over those of all.
        keep: called before the next part begins.
    """
    ends = time.monotonic() + 60 * minutes
    share = 60 * minutes / sum(part.seconds for part in parts)
    worker: _Worker | None = None
    for part in parts:
        left = ends - time.monotonic()
        seconds = min(left, part.seconds * max(1.0, share))
        if seconds < min(5.0, part.seconds * share):
            keep(part, _not_run(NO_TIME))
            continue
        worker = worker or _Worker(device, is_full)
        record = worker.run(part.module, seconds)
        keep(part, record)
        if record.pop("is_unusable"):
            worker.end()
            worker = None
    if worker is not None:
        worker.end()


class _Worker:
    """A process that runs parts."""

    def __init__(self, device: str, is_full: bool) -> None:
        context = get_context("spawn")  # CUDA does not survive a fork
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, device, is_full))
        self._process.start()
        theirs.close()

    def run(self, module: str, seconds: float) -> dict[str, Any]:
        """Run a part, and return its record with "is_unusable", whether the worker is lost."""
        begun = time.monotonic()
        patience = seconds + max(_GRACE, _GRACE_SHARE * seconds)
        self._ours.send((module, begun + seconds))
        try:
            if self._ours.poll(patience):
                record: dict[str, Any] = self._ours.recv()
            else:
                limit = f"it did not end within {patience:.0f} s and was ended"
                record = {"status": "failed", "reason": limit, "is_unusable": True}
        except EOFError:
            self._process.join(5)
            code = self._process.exitcode
            record = {"status": "failed", "reason": f"its process ended with exit code {code}",
                      "is_unusable": True}  # fmt: skip
        return {**record, "seconds": round(time.monotonic() - begun, 1)}

    def end(self) -> None:
        """End the process."""
        self._ours.close()  # the worker's wait for another part ends with it
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _work(parts: Connection, device: str, is_full: bool) -> None:
    """Run the parts that are sent, until nobody sends any."""
    import torch

    if device == "cpu":
        torch.set_num_threads(1)  # so that times compare, whatever else runs on the other cores
    while True:
        try:
            module, ends = parts.recv()
        except EOFError:
            return
        record = record_of(module, Setting(device, is_full, ends))
        try:
            parts.send(record)
        except BrokenPipeError:  # it came too late, and this process was given up
            return
        if device == "cuda":
            torch.cuda.empty_cache()


def record_of(module: str, setting: Setting) -> dict[str, Any]:
    """Run a part in this process, and return its record with "is_unusable"."""
    try:
        found: Findings = importlib.import_module(f"benchmarks.gpu.{module}").run(setting)
    except NotRun as cause:
        return {**_not_run(str(cause)), "is_unusable": False}
    except BaseException as error:  # its reason belongs on the page, whatever it is
        text = traceback.format_exc()
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        is_unusable = any(sign in text.lower() for sign in _UNUSABLE)
        return {
            "status": "failed", "reason": reason, "traceback": text, "is_unusable": is_unusable,
        }  # fmt: skip
    return {"status": "ran", "reason": "", **asdict(found), "is_unusable": False}


def _not_run(reason: str) -> dict[str, Any]:
    return {"status": "not run", "reason": reason, "seconds": 0.0, "is_unusable": False}


def write_record(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a part's JSON file; the name appears once the content is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{name}.json.new"
    new.write_text(json.dumps(record, indent=1) + "\n")
    new.replace(folder / f"{name}.json")


def forget_records(folder: Path) -> None:
    """Remove the records of an earlier run."""
    for part in PARTS:
        (folder / f"{part.name}.json").unlink(missing_ok=True)


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a folder by the names of their parts."""
    files = [folder / f"{part.name}.json" for part in PARTS]
    return {file.stem: json.loads(file.read_text()) for file in files if file.is_file()}
