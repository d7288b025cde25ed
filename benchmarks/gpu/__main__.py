r"""Shows what of Twentieth runs on a GPU, how fast, and what packed trials would bring.

Needs PyTorch 2.11 or newer, transformers and peft; no Ray, Optuna, MLflow, download or
installation. All data and models are made up here. At most 8 minutes on one large GPU: each part
has its own seconds, and what would pass the deadline is left out with the reason "time". After each
part its JSON file in the results' folder is written again, and the page next to it, `<folder>.md`,
which names each part that was not run with its reason.

    python -m benchmarks.gpu                    # `make gpu`: to results/reference/gpu.md
    python -m benchmarks.gpu --on cpu           # `make gpu ON=cpu`: the same in small, a minute
    python -m benchmarks.gpu --on cpu --full --minutes 9 --parts packing packing_lora \
        --results results/reference/gpu_on_cpu  # the packing probe's table on a CPU

`--on cpu` shows that everything runs; its times say nothing about a GPU. With `--full` the sizes
are those of the claim. Results of `--on cpu` are written to build/gpu_on_cpu.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import ABSENT
from benchmarks.gpu.page import page
from benchmarks.gpu.schedule import (
    PARTS,
    Part,
    forget_records,
    read_records,
    run_parts,
    write_record,
)
from benchmarks.harness import provenance
from benchmarks.harness.command_line import command, parser

LEAST_TORCH = (2, 11)
FOLDERS = {"gpu": provenance.REFERENCE / "gpu", "cpu": provenance.ROOT / "build" / "gpu_on_cpu"}
TITLES = {"gpu": "What runs on a GPU", "cpu": "The proof for a GPU, run on a CPU"}
# On a CPU a minute is enough, unless other work has the cores.
MINUTES = {"gpu": 8.0, "cpu": 20.0}
# Importing torch and starting the worker, of the minutes that the whole command may take.
_START_MINUTES = 0.4


def main() -> None:
    """Run the parts and write their page; the exit code is 1 if one failed."""
    options = parser("gpu", __doc__)
    options.add_argument("--on", choices=("gpu", "cpu"), default="gpu")
    options.add_argument("--full", action="store_true", help="full sizes on a CPU, too")
    options.add_argument("--minutes", type=float, default=None)
    options.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS])
    options.add_argument("--results", type=Path, default=None)
    given = options.parse_args()
    check_torch(torch.__version__)
    folder = given.results or FOLDERS[given.on]
    run = Run(folder, given.on, facts_of(given.on), command("gpu"))
    if given.on == "gpu" and not torch.cuda.is_available():
        if not read_records(folder):  # a result of another machine stays
            run.write_page()
        raise SystemExit("torch sees no CUDA device here; fix: make gpu ON=cpu runs it in small")
    forget_records(folder)  # one run's results are not mixed with another's
    chosen = tuple(part for part in PARTS if not given.parts or part.name in given.parts)
    minutes = (given.minutes or MINUTES[given.on]) - _START_MINUTES
    run_parts(chosen, "cuda" if given.on == "gpu" else "cpu",
              is_full=given.full or given.on == "gpu", minutes=minutes, keep=run.keep)  # fmt: skip
    print(f"{folder.with_suffix('.md')} has the page")
    wrong = problems(read_records(folder))
    if wrong:
        raise SystemExit("\n".join(wrong))


@dataclass(frozen=True)
class Run:
    """One run of the command, and where its results are written."""

    folder: Path
    device: str
    facts: Mapping[str, str]
    typed: str
    begun: float = field(default_factory=time.monotonic)

    def keep(self, part: Part, record: Mapping[str, Any]) -> None:
        """Write a part's record and the page, and say how it ended."""
        kept = {name: value for name, value in record.items() if name != "is_unusable"}
        write_record(self.folder, part.name, kept)
        self.write_page()
        seconds = time.monotonic() - self.begun
        print(f"{seconds:4.0f} s  {part.name}: {kept['status']} {kept['reason']}", flush=True)

    def write_page(self) -> None:
        """Write the page of all records that there are."""
        title = TITLES[self.device]
        text = page(title, read_records(self.folder), self.facts, self.typed)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.with_suffix(".md").write_text(text)


def problems(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return each part that failed, and each check that does not hold, in words."""
    failed = [f"{name} failed: {record['reason']}" for name, record in records.items()
              if record["status"] == "failed"]  # fmt: skip
    return failed + [
        f"{name}: does not hold: {claim}"
        for name, record in records.items()
        for claim, holds in record.get("claims", []) if not holds
    ]  # fmt: skip


def check_torch(version: str) -> None:
    """Refuse a PyTorch that is too old.

    Raises:
        SystemExit: it is.
    """
    major, minor = (int(number) for number in version.split(".")[:2])
    if (major, minor) < LEAST_TORCH:
        raise SystemExit(f"PyTorch is {version}; fix: take 2.11 or newer")


def facts_of(device: str) -> dict[str, str]:
    """Return what a run depends on: the device, the commit, the versions."""
    found = provenance.environment()
    load = f"load average {os.getloadavg()[0]:.0f} at the start"
    facts = {"device": device_name(device), "commit": found["commit"], "date": found["date"],
             "machine": f"{found['machine']}; {load}"}  # fmt: skip
    names = ("python", "torch", "transformers", "peft", "numpy")
    facts["versions"] = ", ".join(f"{name} {found[name]}" for name in names if name in found)
    if ABSENT:
        facts["not installed"] = f"{', '.join(ABSENT)}: stand-ins without checks are used"
    return facts


def device_name(device: str) -> str:
    """Return the GPU's name, memory and CUDA version, or the processor's kind."""
    if device == "gpu" and torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        memory = found.total_memory / 2**30
        return f"{found.name}, {memory:.0f} GiB, CUDA {torch.version.cuda}"
    return "none: torch sees no CUDA device" if device == "gpu" else f"CPU, {platform.machine()}"


if __name__ == "__main__":
    main()
