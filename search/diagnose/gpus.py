"""Whether the GPUs that a spec asks for are there, and compute in torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.diagnose.check import Check, failed, passed
from search.diagnose.nodes import Nodes, Reply, problems

# Importing torch takes up to 20 s on a busy machine, the first CUDA context of a node as long.
SECONDS = 90.0


def devices() -> dict[str, Any]:
    """Runs on a node: what `models.devices` says, in a process of its own.

    Ray leaves all GPUs visible to a task that asks for none.

    Raises:
        RuntimeError: torch could not be imported, or CUDA ended the process.
    """
    done = subprocess.run(
        [sys.executable, "-m", "models.devices"], capture_output=True, text=True,
        timeout=SECONDS, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"torch ended with {done.returncode}: {last[:200]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def check_gpus(nodes: Nodes, replies: Mapping[str, Reply]) -> Iterator[Check]:
    """Whether CUDA works wherever Ray offers GPUs (without Ray: here). For specs that want them."""
    reinstall = "install the build of torch for this driver (nvidia-smi names the newest CUDA)"
    if wrong := problems(replies):
        yield failed("GPUs", wrong, reinstall)
        return
    broken: list[str] = []
    seen = 0
    for name, reply in replies.items():
        found = reply.value["devices"]
        broken += [
            f"{name}, {each['name']}: {each['problem']}" for each in found if each["problem"]
        ]
        offered = int(nodes.resources[name].get("GPU", 0))
        seen += len(found)
        if offered > len(found):
            why = "a build without CUDA" if reply.value["cuda"] is None else "no working driver"
            broken.append(f"{name}: Ray offers {offered} GPUs, torch sees {len(found)} ({why})")
    if broken:
        yield failed("GPUs", "; ".join(broken[:4]), reinstall)
    elif not seen:
        mend = "use machines with GPUs, or set resources.gpus to 0 in the spec"
        yield failed("GPUs", "the spec asks for GPUs, and no node has one that torch sees", mend)
    else:
        yield passed("GPUs", f"CUDA computes on {seen} GPUs")
