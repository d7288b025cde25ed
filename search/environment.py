"""What a result depends on besides its spec: code, versions, machine."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "transformers", "peft", "numpy")


def environment() -> dict[str, str]:
    """Part -> version; "code" is the commit, marked if files differ from it."""
    root = Path(__file__).resolve().parents[1]
    try:
        commit = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"
    return {
        "code": commit,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in VERSIONS_OF},
    }
