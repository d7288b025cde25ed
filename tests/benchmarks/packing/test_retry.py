"""The search that runs out of a GPU's memory: its spec, its function, what is read of its end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml

from benchmarks.packing import __main__ as command
from benchmarks.packing import crowded
from benchmarks.packing.retry import Retries, crowded_spec, in_words, retries_in
from search.optimize.resources import fitting
from search.spec import spec_from_yaml
from search.tracking.write.journal import Event

WAITS = "trial 1 ran out of memory next to others; it is retried alone"


def event(name: str, **fields: Any) -> Event:
    return Event(name, 0, 1, fields, 0)


def test_two_trials_share_the_gpu_and_their_memory_does_not_fit() -> None:
    spec = spec_from_yaml(yaml.safe_dump(crowded_spec()))
    assert fitting({"CPU": 16.0, "GPU": 1.0}, spec.resources) == 2
    assert spec.resources.parallelism == 2 and 0.5 < crowded.SHARE < 1


def test_a_trial_holds_its_share_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def empty(size: int, **_: Any) -> torch.Tensor:
        asked.append(size)
        return torch.zeros(1)

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (250, 1000))
    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(crowded, "EPOCH_SECONDS", 0.0)
    reports = list(crowded.crowded({"x": 0.5}, epochs=2, seed=0))
    assert asked == [600] and reports == [{"value": 0.5, "free": 0.25}] * 2


def test_a_retry_and_three_complete_trials_are_read_from_the_journal() -> None:
    ends = [event("end", state="complete") for _ in range(3)]
    found = retries_in([event("start"), event("note", message=WAITS), *ends])
    assert found == Retries(1, ("complete",) * 3) and found.holds
    assert "1 ran out of memory" in in_words(found)[-1] and in_words(found)[-1].endswith("holds.")


@pytest.mark.parametrize("found", [Retries(0, ("complete",) * 3),
                                   Retries(1, ("complete", "failed", "complete")),
                                   Retries(1, ())])  # fmt: skip
def test_without_a_retry_or_with_a_failed_trial_it_does_not_hold(found: Retries) -> None:
    assert not found.holds and "does not hold" in in_words(found)[-1]


def test_without_a_gpu_the_command_says_so_before_it_searches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["packing", "--on", "gpu", "--out-of-memory"])
    with pytest.raises(SystemExit, match=r"torch sees no GPU here; fix: use --on cpu"):
        command.main()


def test_filling_a_gpu_is_refused_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["packing", "--on", "cpu", "--out-of-memory"])
    with pytest.raises(SystemExit, match="fills a GPU; fix:"):
        command.main()
