"""The notebook of `examples/` is run as a user does: interrupted in its middle, then resumed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from search.tracking.read.history import load_history

pytestmark = [pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "search.ipynb"
PATIENCE_SECONDS = 400
RUN, RESUME, TRIALS = "result = search.run", "result = search.resume", "result.trials"


def test_a_notebook_shows_a_search_is_interrupted_and_resumes_in_the_next_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = asyncio.run(executed(tmp_path))
    ran, resumed = cells[RUN], cells[RESUME]
    assert "stopping; running trials can be resumed" in printed(ran)
    assert "interrupted; continue with: search.resume" in printed(ran)
    assert ": interrupted," in plain(ran[-1])
    table = next(each for each in ran if "running" in plain(each) or "done" in plain(each))
    assert table["output_type"] == "display_data"
    assert "<pre" in table["data"]["text/html"] and "/6 done" in table["data"]["text/html"]
    assert ": complete, 6 trials (6 complete)" in plain(resumed[-1])
    shown = resumed[-1]["data"]["text/html"]
    assert "<table" in shown and "data:image/png;base64," in shown
    assert "config.model.hidden" in cells[TRIALS][-1]["data"]["text/html"]
    trials = load_history(f"sqlite:///{tmp_path / 'mlflow.db'}").prior_trials(state=None)
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert sorted(trial.number for trial in trials) == list(range(6))


async def executed(folder: Path) -> dict[str, list[Any]]:
    """Runs the cells in a folder, one of them until a trial is complete; returns their outputs."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=PATIENCE_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    outputs = {}
    async with client.async_setup_kernel():
        for index, cell in enumerate(notebook.cells):
            running = asyncio.create_task(client.async_execute_cell(cell, index))
            if cell.source.startswith(RUN):
                await until_a_trial_is_complete(folder, running)
                await client.km.interrupt_kernel()
            await running
            key = next((each for each in (RUN, RESUME, TRIALS) if cell.source.startswith(each)), "")
            outputs[key] = cell.get("outputs", [])
    return outputs


async def until_a_trial_is_complete(folder: Path, running: asyncio.Task[Any]) -> None:
    while not any('"complete"' in file.read_text() for file in folder.rglob("journal.jsonl")):
        assert not running.done(), running.result()
        await asyncio.sleep(0.2)


def printed(outputs: list[Any]) -> str:
    return "".join(each["text"] for each in outputs if each["output_type"] == "stream")


def plain(output: Any) -> str:
    return str(output.get("data", {}).get("text/plain", ""))
