"""Where one search of the survival benchmark lives: a folder, a store, and its commands."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.harness.provenance import ROOT
from search.tracking.store import create_store
from search.tracking.write.journal import Event, read_events
from tests.support.servers import Server

# A busy machine needs a minute to start Ray; more than this is a hang.
PATIENCE_SECONDS = 600.0


@dataclass
class Place:
    """The folder of one search; its path is short, for Ray's sockets lie in it.

    Attributes:
        server: The tracking server; None for an SQLite file.
    """

    folder: Path
    server: Server | None = None
    uri: str = field(init=False)

    def __post_init__(self) -> None:
        self.uri = self.server.uri if self.server else f"sqlite:///{self.folder}/mlflow.db"
        if self.server is None:
            create_store(self.uri)

    @property
    def search(self) -> str:
        """The search's id; "" before it has any storage."""
        found = [each.name for each in (self.folder / "storage").glob("*")]
        return found[0] if found else ""

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command of `python -m search`, whose output goes to a log."""
        # TMPDIR keeps its CPU leases apart from those of other searches.
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)}
        with (self.folder / "output.txt").open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "search", command, *arguments,
                 "--tracking-uri", self.uri, "--results", str(self.folder)],
                cwd=self.folder, env=environment, text=True,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def events(self) -> list[Event]:
        """Returns the journal so far."""
        return list(read_events(self.folder / "storage" / self.search)) if self.search else []


def driver_of(command: subprocess.Popen[str]) -> psutil.Process | None:
    """Returns the driver process of a command; None if there is none now."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(command.pid).children():
            with contextlib.suppress(psutil.Error):
                if "search.optimize" in child.cmdline():
                    return child
    return None
