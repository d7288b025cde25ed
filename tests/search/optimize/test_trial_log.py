"""The log of a trial that runs a user's own code."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from search.optimize.trial_log import as_printed, logged


def test_what_is_printed_and_logged_is_in_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "files" / "log.txt"
    print("before")
    with logged(file):
        print("printed")
        print("complained", file=sys.stderr)
        logging.getLogger("mine").info("logged")
        os.system("echo from a child")
    print("after")
    log = file.read_text()
    for text in ("printed\n", "complained\n", "INFO mine: logged\n", "from a child\n"):
        assert log.count(text) == 1
    assert "before" not in log and "after" not in log
    assert capfd.readouterr().out == "before\nafter\n"
    assert logging.getLogger().level == logging.WARNING


def test_a_record_that_its_own_logger_prints_is_there_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger, handler = logging.getLogger("talkative"), logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        with logged(tmp_path / "log.txt"):
            logger.warning("once")
    finally:
        logger.removeHandler(handler)
    assert (tmp_path / "log.txt").read_text().count("once") == 1


def test_a_file_that_cannot_be_opened_fails_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "files").touch()
    with logged(tmp_path / "files" / "log.txt"):
        print("still said")
    assert capfd.readouterr().out == "still said\n"


def test_a_progress_bar_is_shown_as_it_ended_and_control_sequences_are_removed() -> None:
    text = "begin\n\r  0%\r 50%\r100%\x1b[A\nend \x1b[31mred\x1b[0m\x07\n"
    assert as_printed(text) == "begin\n100%\nend red\n"
