"""Workers that die or hang, and storage errors, with processes that really end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search.optimize.watchdog import (
    CRASHES_IN_ONE_EPOCH,
    DEATHS,
    DEATHS_IN_ONE_EPOCH,
    Watchdog,
    patiently,
)

ROOT = Path(__file__).resolve().parents[3]

# A worker on its own: one process, which steps one trial until it is done and prints its failure.
WORKER = """
import sys, time, os
from pathlib import Path
from tests.support.stepped_trials import config_of, task_of, trial_of, run
from tests.support import functions

def stuck(configuration, *, epochs, seed):
    hills = functions.two_hills(configuration, epochs=epochs, seed=seed)
    for epoch, metrics in enumerate(hills, 1):
        if epoch == 2:
            {action}
        yield metrics

functions.nothing = stuck
folder, generation = Path(sys.argv[1]), int(sys.argv[2])
task = task_of(folder, "nothing", generation=generation, epoch_seconds=1.0)
trial = trial_of(task, config_of(folder))
time.sleep({idle})
print(run(trial)[-1]["failure"])
"""


def worker(folder: Path, action: str, generation: int = 1, idle: float = 0.0) -> tuple[int, str]:
    """Returns exit status and output of one attempt."""
    script = WORKER.replace("{action}", action).replace("{idle}", str(idle))
    ended = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(generation)], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return ended.returncode, ended.stdout.strip()


def hung(folder: Path) -> Watchdog:
    (folder / DEATHS).write_text(
        "Timeout (0:00:01)!\nThread 0x01 (most recent call first):\n"
        '  File "/python/threading.py", line 5 in wait\n\n'
        "Thread 0x02 (most recent call first):\n"
        '  File "/project/user/code.py", line 33 in slow_part\n'
        '  File "/project/search/optimize/trainable.py", line 99 in step\n'
    )
    return Watchdog(folder, 1, 90.0)


def test_a_trial_that_makes_progress_may_lose_any_number_of_workers(tmp_path: Path) -> None:
    for epoch in range(1, 30):
        assert Watchdog(tmp_path, 1, 1.0).begin(epoch) == ""


def test_a_trial_that_dies_in_the_same_epoch_again_and_again_ends_and_says_where(
    tmp_path: Path,
) -> None:
    Watchdog(tmp_path, 1, 1.0).begin(3)
    told = [Watchdog(tmp_path, 1, 1.0).begin(4) for _ in range(DEATHS_IN_ONE_EPOCH + 1)]
    assert told[:-1] == [""] * DEATHS_IN_ONE_EPOCH
    assert told[-1].startswith("its worker died 3 times in epoch 4")


def test_an_epoch_that_is_set_up_and_then_begun_by_one_worker_is_one_attempt(
    tmp_path: Path,
) -> None:
    for _ in range(DEATHS_IN_ONE_EPOCH):
        attempt = Watchdog(tmp_path, 1, 1.0)
        assert attempt.begin(1) == attempt.begin(1) == ""


def test_a_resumed_search_counts_anew(tmp_path: Path) -> None:
    for _ in range(DEATHS_IN_ONE_EPOCH):
        Watchdog(tmp_path, 1, 1.0).begin(4)
    assert Watchdog(tmp_path, 1, 1.0).begin(4)
    assert Watchdog(tmp_path, 2, 1.0).begin(4) == ""


def test_a_note_that_a_crash_has_cut_spoils_no_other(tmp_path: Path) -> None:
    for _ in range(DEATHS_IN_ONE_EPOCH):
        with (tmp_path / "attempts_1.jsonl").open("a") as file:
            file.write('\n{"epoch": 4, "ha')
        assert Watchdog(tmp_path, 1, 1.0).begin(4) == ""
    assert "3 times" in Watchdog(tmp_path, 1, 1.0).begin(4)


def test_the_reason_says_where_the_training_hung_and_how_to_allow_more(tmp_path: Path) -> None:
    for _ in range(DEATHS_IN_ONE_EPOCH):
        Watchdog(tmp_path, 1, 1.0).begin(4)
    reason = hung(tmp_path).begin(4).splitlines()
    assert reason[-1] == (
        "its worker died 3 times in epoch 4; the last one hung for more than 1.5 min "
        "(budget.epoch_minutes) in slow_part (user/code.py, line 33)"
    )
    assert any("threading.py" in line for line in reason), "the whole traceback stands above it"


def test_a_hang_of_an_earlier_epoch_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    hung(tmp_path)
    for _ in range(DEATHS_IN_ONE_EPOCH):
        Watchdog(tmp_path, 1, 1.0).begin(4)
    assert "hung" not in Watchdog(tmp_path, 1, 1.0).begin(4)


@pytest.mark.slow
def test_a_worker_that_hangs_is_ended_and_the_fourth_one_tells_where(tmp_path: Path) -> None:
    for _ in range(DEATHS_IN_ONE_EPOCH):
        assert worker(tmp_path, "time.sleep(60)")[0] == 1
    code, failure = worker(tmp_path, "time.sleep(60)")
    assert code == 0 and "3 times in epoch 2" in failure and "in stuck" in failure
    assert worker(tmp_path, "pass", generation=2) == (0, ""), "a resume goes on where it hung"


@pytest.mark.slow
def test_a_worker_that_calls_os_exit_is_not_retried_and_the_second_one_tells_where(
    tmp_path: Path,
) -> None:
    assert worker(tmp_path, "os._exit(13)")[0] == 13
    code, failure = worker(tmp_path, "os._exit(13)")
    why = "its worker died in epoch 2: it called os._exit(13); fix: return to end the trial, "
    assert code == 0 and failure.endswith(why + "raise an exception to fail it")
    assert "in stuck" in failure and "watchdog.py" not in failure
    assert worker(tmp_path, "pass", generation=2) == (0, ""), "a resume goes on where it ended"


@pytest.mark.slow
def test_a_worker_that_crashes_in_c_is_retried_once_and_the_third_one_tells_where(
    tmp_path: Path,
) -> None:
    crash = "__import__('ctypes').string_at(0)"
    for _ in range(CRASHES_IN_ONE_EPOCH):
        assert worker(tmp_path, crash)[0] == -signal.SIGSEGV
    code, failure = worker(tmp_path, crash)
    last = failure.splitlines()[-1]
    assert code == 0 and last.startswith("its worker died 2 times in epoch 2; the last one crashed")
    assert "(Segmentation fault) in string_at (ctypes/__init__.py, line " in last
    assert failure.startswith("Current thread") and "in stuck" in failure
    assert "\nThread 0x" not in failure and "Extension modules" not in failure


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_is_retried_twice(tmp_path: Path) -> None:
    killed = "os.kill(os.getpid(), 9)"
    for _ in range(DEATHS_IN_ONE_EPOCH):
        assert worker(tmp_path, killed)[0] == -signal.SIGKILL
    code, failure = worker(tmp_path, killed)
    assert code == 0 and "3 times in epoch 2; the last one was killed from outside" in failure


@pytest.mark.slow
def test_a_process_that_a_function_forks_may_end_itself(tmp_path: Path) -> None:
    forks = "child = os.fork(); child or os._exit(3); os.waitpid(child, 0)"
    assert worker(tmp_path, forks) == (0, "")
    assert not (tmp_path / "checkpoints" / "0" / DEATHS).read_bytes()


@pytest.mark.slow
def test_a_hang_in_c_that_never_releases_the_interpreter_is_ended_too(tmp_path: Path) -> None:
    holds_the_lock = "__import__('re').match('(a+)+$', 'a' * 60 + 'b')"
    assert worker(tmp_path, holds_the_lock)[0] == 1


@pytest.mark.slow
def test_a_worker_that_waits_between_two_epochs_is_no_hang(tmp_path: Path) -> None:
    assert worker(tmp_path, "pass", idle=2.5) == (0, "")


def refusing(times: int) -> Callable[[], str]:
    left = iter(range(times))

    def action() -> str:
        if next(left, None) is not None:
            raise OSError(28, "No space left on device")
        return "written"

    return action


def test_storage_that_fails_for_a_while_is_retried_with_longer_pauses() -> None:
    pauses: list[float] = []
    assert patiently(refusing(4), 600, pauses.append) == "written"
    assert pauses == [1, 2, 4, 8]


def test_storage_that_fails_for_too_long_says_for_how_long_and_the_fix() -> None:
    pauses: list[float] = []
    with pytest.raises(OSError, match=r"failed for 600 s: .*No space left.*fix: make room"):
        patiently(refusing(1000), 600, pauses.append)
    assert sum(pauses) == pytest.approx(600)


def test_errors_that_are_not_of_the_storage_are_not_retried() -> None:
    with pytest.raises(ValueError):
        patiently(lambda: int("x"), 600, lambda _: pytest.fail("it waited"))
