"""The environment of a search, which its summary run keeps: commit, Python and versions."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "transformers", "peft", "numpy")


def environment() -> dict[str, str]:
    """Part -> version; "code" is the commit, or "unknown" outside of a checkout."""
    return {
        "code": commit() or "unknown",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in VERSIONS_OF},
    }


def commit() -> str:
    """Returns the commit of this checkout, "-dirty" if files differ; "" if installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # git would describe a repository that contains the package
        return ""
    try:
        return subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
