"""What a launch prints at its end."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from search.cli import follow
from search.history import Trial
from search.optimize.process import DriverAnswer
from search.session import watch
from search.tracking.store import while_away
from tests.support.plans import a_plan
from tests.support.stored_search import stored


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a mistake must not end the tests
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_report_waits_for_a_store_that_is_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Exception] = [ConnectionError("no answer"), ConnectionError("no answer")]

    def publish(*given: object) -> tuple[Path, str]:
        if answers:
            raise answers.pop()
        return tmp_path, "History helped."

    answer = DriverAnswer("done", state="interrupted")
    monkeypatch.setattr(follow, "watch", lambda *given, again: (answer, 0))
    monkeypatch.setattr(watch, "publish_report", publish)
    patient = partial(while_away, sleep=lambda seconds: None)
    monkeypatch.setattr(watch, "while_away", patient)
    monkeypatch.setattr(follow, "print_best", lambda *given: [])
    follow.follow(a_plan(tmp_path), [], tmp_path)
    assert "History helped." in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_not_a_failed_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*given: object) -> tuple[Path, str]:
        raise OSError(errno.ENOSPC, "No space left on device", "report.md")

    monkeypatch.setattr(
        follow, "watch", lambda *given, again: (DriverAnswer("done", state="complete"), 0)
    )
    monkeypatch.setattr(watch, "publish_report", full)
    with pytest.raises(SystemExit) as ended:
        follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    for part in ("all trials are stored", "No space left", "report.md", "twentieth report hills-1"):
        assert part in printed


def test_a_launch_ends_with_the_best_trials_as_show_prints_them(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = stored(tmp_path_factory.getbasetemp())
    answer = DriverAnswer("done", state="complete")
    monkeypatch.setattr(follow, "watch", lambda *given, again: (answer, 0))
    monkeypatch.setattr(watch, "publish_report", lambda *given: (Path("reports"), "It helped."))
    follow.follow(store.plan, [], Path("results"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5].startswith("Pareto front") and lines[-3].split()[0] == "000"
    assert lines[-1] == f"configurations: twentieth show {store.search}"


@pytest.mark.parametrize(
    "answer",
    [
        DriverAnswer("died", "the driver was ended by SIGKILL without an answer"),
        DriverAnswer("done", state="interrupted"),  # it waited for Ray's end
    ],
)
def test_a_second_ctrl_c_ends_without_a_report_and_says_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    answer: DriverAnswer,
) -> None:  # fmt: skip
    monkeypatch.setattr(follow, "watch", lambda *given, again: (answer, 2))
    monkeypatch.setattr(watch, "publish_report", lambda *given: pytest.fail("it takes seconds"))
    with pytest.raises(SystemExit) as ended:
        follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.value.code == 130
    printed = capsys.readouterr().out
    assert "stopped at once; continue with: twentieth resume hills-1" in printed


def test_sigterm_asks_a_search_to_stop_as_ctrl_c_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*given: object, again: str) -> tuple[DriverAnswer, int]:
        with pytest.raises(KeyboardInterrupt):  # which `watch` catches
            signal.raise_signal(signal.SIGTERM)
        return DriverAnswer("done", state="interrupted"), 2

    monkeypatch.setattr(follow, "watch", terminated)
    with pytest.raises(SystemExit) as ended:
        follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.value.code == 130


def test_a_driver_that_fails_while_it_is_stopped_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = DriverAnswer("failed", "OSError: No space left on device")
    monkeypatch.setattr(follow, "watch", lambda *given, again: (answer, 2))
    with pytest.raises(SystemExit) as ended:
        follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.value.code == 1
    assert "No space left on device; continue with: " in capsys.readouterr().err


def test_ctrl_c_during_the_report_says_how_to_have_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object) -> tuple[Path, str]:
        raise KeyboardInterrupt

    answer = DriverAnswer("done", state="complete")
    monkeypatch.setattr(follow, "watch", lambda *given, again: (answer, 0))
    monkeypatch.setattr(watch, "publish_report", interrupted)
    with pytest.raises(SystemExit) as ended:
        follow.follow(a_plan(tmp_path), [], tmp_path)
    assert ended.value.code == 130
    printed = capsys.readouterr().out
    assert "all trials are stored; for the report: twentieth report hills-1" in printed


@pytest.mark.parametrize(("trials", "is_told"), [(2, True), (3, False)])
def test_a_search_that_has_no_trial_left_says_how_to_add_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    trials: int, is_told: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(watch, "_launched", lambda *given: (DriverAnswer("done"), 0))
    own = [Trial(number=each, state="complete", configuration={}) for each in range(2)]
    watch.watch(a_plan(tmp_path, trials=trials), own, again="Ctrl-C")
    said = "all 2 trials have ended before; to add some: twentieth resume hills-1 --trials N"
    assert (said in capsys.readouterr().out) == is_told
