"""The script of `examples/` is run as a user does: stopped by Ctrl-C, then continued by its id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.launches import PATIENCE_SECONDS

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "own_network.py"), *arguments],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        # A suite in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def test_the_script_is_stopped_by_ctrl_c_and_goes_on_by_its_id(tmp_path: Path) -> None:
    script = start(tmp_path)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any('"complete"' in file.read_text() for file in tmp_path.rglob("journal.jsonl")):
        assert script.poll() is None and time.monotonic() < deadline, script.communicate()
        time.sleep(0.2)
    script.send_signal(signal.SIGINT)
    said, _ = script.communicate(timeout=PATIENCE_SECONDS)
    assert script.returncode == 0, said
    (name,) = re.findall(r"^(own-network-\S+): interrupted, ", said, re.MULTILINE)
    again = start(tmp_path, name)
    said, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, said
    assert f"{name}: complete, 6 trials (6 complete)" in said
    assert "best: {'model.hidden': " in said
