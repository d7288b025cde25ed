"""Checkpoints survive a crash at any moment, and code in one is never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from models.weights.checkpoints import KEPT, newest_checkpoint, save_checkpoint
from tests.support.small_disks import fill, make_room, small_disk


def save(folder: Path, epoch: int, generation: int = 1, state: Any = None) -> None:
    metrics = [{"loss": 1.0 / each} for each in range(1, min(epoch, 5) + 1)]
    save_checkpoint(folder, generation, epoch, metrics, state or {"epoch": epoch})


def newest_epoch(folder: Path) -> int | None:
    found = newest_checkpoint(folder)
    return found.epoch if found else None


class RunsCode:
    """What a poisoned checkpoint would hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path("/nowhere").is_dir, ()


def test_where_nothing_was_saved_nothing_is_found(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "never") is None


def test_a_checkpoint_gives_back_every_epochs_metrics_and_the_state(tmp_path: Path) -> None:
    weights = torch.arange(6.0).reshape(2, 3)
    metrics = [{"loss": 2.0}, {"loss": 1.0, "accuracy.clean": 0.5}]
    save_checkpoint(tmp_path, 1, 2, metrics, {"weights": weights, "epoch": 2})
    found = newest_checkpoint(tmp_path)
    assert found is not None and (found.epoch, list(found.metrics)) == (2, metrics)
    state = found.load_state()
    assert state["epoch"] == 2
    assert torch.equal(state["weights"], weights)


@pytest.mark.parametrize(
    "state", [{}, {"epoch": 3}, {"a": {"b": [1, 0.1, "c", True, None]}, "d": []}], ids=str
)
def test_a_state_of_plain_values_needs_no_file_of_its_own(tmp_path: Path, state: Any) -> None:
    save_checkpoint(tmp_path, 1, 1, [{}], state)
    assert [file.name for file in (tmp_path / "generation_1").iterdir()] == ["epoch_0001.json"]
    found = newest_checkpoint(tmp_path)
    assert found is not None and found.state_file is None and found.load_state() == state


@pytest.mark.parametrize("state", [{"pair": (1, 2)}, {"by number": {1: "a"}}], ids=str)
def test_values_that_json_would_change_come_back_as_they_were(tmp_path: Path, state: Any) -> None:
    save_checkpoint(tmp_path, 1, 1, [{}], state)
    found = newest_checkpoint(tmp_path)
    assert found is not None and found.load_state() == state


def test_the_latest_epoch_counts_by_number_not_by_spelling(tmp_path: Path) -> None:
    for epoch in (9, 10):
        save(tmp_path, epoch)
    assert newest_epoch(tmp_path) == 10


def test_the_latest_generation_counts_even_if_it_is_less_far(tmp_path: Path) -> None:
    save(tmp_path, 8, generation=9)
    save(tmp_path, 3, generation=10)
    assert newest_epoch(tmp_path) == 3


def test_a_generation_without_a_complete_checkpoint_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path, 3, generation=1)
    (tmp_path / "generation_2").mkdir()
    (tmp_path / "generation_2" / "epoch_0004.json").write_text('{"epoch": 4, "metr')
    assert newest_epoch(tmp_path) == 3


@pytest.mark.parametrize(
    "text", ["", '{"epoch": 3, "metrics": [{"loss"', "[]", '{"epoch": 3}', '{"metrics": []}', "\0"]
)
def test_a_half_written_record_is_no_checkpoint(tmp_path: Path, text: str) -> None:
    save(tmp_path, 2)
    (tmp_path / "generation_1" / "epoch_0003.json").write_text(text)
    assert newest_epoch(tmp_path) == 2


def test_a_record_whose_state_is_missing_is_no_checkpoint(tmp_path: Path) -> None:
    for epoch in (1, 2):
        save(tmp_path, epoch, state={"at": torch.tensor(epoch)})
    (tmp_path / "generation_1" / "epoch_0002.pt").unlink()
    assert newest_epoch(tmp_path) == 1


def test_a_state_without_its_record_is_no_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 1, state={"at": torch.tensor(1)})
    place = tmp_path / "generation_1"
    (place / "epoch_0002.pt").write_bytes((place / "epoch_0001.pt").read_bytes())
    (place / "epoch.json.new").write_text('{"epoch": 2, "metrics": []}')
    (place / "epoch.pt.new").write_bytes(b"half")
    assert newest_epoch(tmp_path) == 1


def test_two_checkpoints_are_kept_and_no_file_besides(tmp_path: Path) -> None:
    for epoch in range(1, 6):
        save(tmp_path, epoch, state={"at": torch.tensor(epoch)})
    assert KEPT == 2
    assert sorted(path.name for path in (tmp_path / "generation_1").iterdir()) == [
        "epoch_0004.json", "epoch_0004.pt", "epoch_0005.json", "epoch_0005.pt",
    ]  # fmt: skip


def test_the_last_checkpoint_of_a_training_may_be_kept_alone(tmp_path: Path) -> None:
    save(tmp_path, 1, state={"weights": torch.zeros(1)})
    save_checkpoint(tmp_path, 1, 2, [{"loss": 1.0}] * 2, {"weights": torch.ones(1)}, kept=1)
    names = sorted(path.name for path in (tmp_path / "generation_1").iterdir())
    assert names == ["epoch_0002.json", "epoch_0002.pt"]


def test_beyond_9999_epochs_the_newest_is_still_kept(tmp_path: Path) -> None:
    for epoch in (9998, 9999, 10_000):
        save(tmp_path, epoch)
    assert newest_epoch(tmp_path) == 10_000


def test_a_new_generation_leaves_the_old_ones_checkpoints_alone(tmp_path: Path) -> None:
    save(tmp_path, 1, generation=1)
    for epoch in (2, 3, 4):
        save(tmp_path, epoch, generation=2)
    assert (tmp_path / "generation_1" / "epoch_0001.json").exists()


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1, state={"epoch": RunsCode()})
    found = newest_checkpoint(tmp_path)
    assert found is not None
    with pytest.raises(pickle.UnpicklingError):
        found.load_state()


def test_a_full_disk_is_an_os_error_and_costs_no_earlier_checkpoint(tmp_path: Path) -> None:
    with small_disk(tmp_path, kilobytes=256) as disk:
        save(disk / "trial", 1, state={"weights": torch.zeros(8)})
        with pytest.raises(OSError, match="No space left"):  # not torch's RuntimeError
            save(disk / "trial", 2, state={"weights": torch.zeros(200_000)})
        assert newest_epoch(disk / "trial") == 1
        assert not list((disk / "trial" / "generation_1").glob("*.new")), "room is given back"
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            save(disk / "trial", 2)
        make_room(disk)
        save(disk / "trial", 2, state={"weights": torch.zeros(8)})
        assert newest_epoch(disk / "trial") == 2


def test_another_failure_of_saving_is_not_called_storage(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, RuntimeError, pickle.PicklingError)):
        save(tmp_path, 1, state={"function": lambda: None})


def test_a_checkpoint_that_cannot_be_read_just_now_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)
    read = Path.read_text

    def away(path: Path, *arguments: Any, **options: Any) -> str:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "read_text", away)
    with pytest.raises(OSError, match="Stale file handle"):
        newest_checkpoint(tmp_path)
    monkeypatch.setattr(Path, "read_text", read)
    assert newest_epoch(tmp_path) == 1


def test_the_clock_that_stamps_files_decides_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    os.utime(tmp_path / "generation_1" / "epoch_0002.json", (0, 0))  # by a worker far behind
    save(tmp_path, 1, generation=2)
    os.utime(tmp_path / "generation_2" / "epoch_0001.json", (1, 1))
    assert newest_epoch(tmp_path) == 1, "the latest generation's, whatever the times say"
    save(tmp_path, 3)
    names = sorted(path.name for path in (tmp_path / "generation_1").iterdir())
    assert names == ["epoch_0002.json", "epoch_0003.json"], "the least epoch goes, not the oldest"
