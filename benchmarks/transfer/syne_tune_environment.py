"""Makes an environment for Syne Tune and runs its methods there, through files."""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.transfer.peers import SYNE_TUNE_VERSION, sampler_seed
from benchmarks.transfer.recorded_tasks import GRID, Rows, Task, configurations_of, row_of
from benchmarks.transfer.scenarios import Past

# Its tables of benchmarks, which the transfer methods import, need more than it requires; its extra
# that has them brings a compiler's worth of other packages.
_REQUIREMENTS = (f"syne-tune=={SYNE_TUNE_VERSION}", "fastparquet", "h5py", "huggingface_hub")
_USES = "import xgboost, syne_tune.blackbox_repository"


def interpreter(cache: Path) -> Path:
    """Return the environment's Python; the first call makes it, in some minutes.

    Raises:
        RuntimeError: Syne Tune could not be installed; the message says why.
    """
    folder = cache.resolve() / f"syne-tune-{SYNE_TUNE_VERSION}"
    python = folder / "bin" / "python"
    if not python.exists() or _failure([str(python), "-c", _USES]):
        venv.create(folder, with_pip=True, clear=True)
        failure = _failure([str(python), "-m", "pip", "install", "-q", *_REQUIREMENTS])
        if failure:
            raise RuntimeError(f"Syne Tune {SYNE_TUNE_VERSION} does not install: {failure}")
    return python


def run(
    python: Path,
    method: str,
    tasks: Mapping[str, Task],
    past: Mapping[str, Mapping[str, Past]],
    seed: int,
    trials: int,
) -> dict[str, Rows | str]:
    """Run one method on several tasks with the past of each; return rows, or an error, by task."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        jobs = []
        for name, task in tasks.items():
            np.save(place / f"{name}.npy", -task.accuracy)
            jobs.append(
                {
                    "method": method, "seed": sampler_seed(name, seed), "trials": trials,
                    "table": str(place / f"{name}.npy"),
                    "past": {
                        source: {
                            "configurations": configurations_of(one.rows),
                            "losses": (-one.values[:, 0]).tolist(),
                        }
                        for source, one in past[name].items()
                    },
                }
            )  # fmt: skip
        (place / "jobs.json").write_text(json.dumps({"grid": GRID, "jobs": jobs}))
        script = Path(__file__).with_name("syne_tune_peers.py")
        answer = place / "results.json"
        failure = _failure([str(python), "-P", str(script), str(place / "jobs.json"), str(answer)])
        if failure:
            return dict.fromkeys(tasks, failure)
        found = json.loads(answer.read_text())
    return {
        name: result.get("error")
        or np.array([row_of(configuration) for configuration in result["configurations"]])
        for name, result in zip(tasks, found, strict=True)
    }


def _failure(command: list[str]) -> str:
    """Run a command; return the last line of its errors, or nothing if it succeeded."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
