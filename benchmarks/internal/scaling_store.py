"""Checks that the thread that sends to the store catches up, however many results come.

The part of the scaling benchmark (scaling/) that needs no Ray: fifty trials of ten epochs write
into a journal as fast as they are asked to, and the real writer sends it to SQLite. It prints how
late the store is (seconds from an epoch's line in the journal, from the fourth second on), and the
processor time of the thread that sends. It writes no result.

Cost: a minute and a half of one core.

    python -m benchmarks.internal.scaling_store
"""

from __future__ import annotations

import heapq
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.harness.command_line import parser
from benchmarks.internal.scaling.report import arrival
from benchmarks.internal.scaling.run import SentOffsets
from benchmarks.internal.scaling.trials import JITTER
from search.objectives import Objective
from search.tracking.store import create_store, ensure_experiment
from search.tracking.summary import create_summary
from search.tracking.uris import store_uri
from search.tracking.write.journal import Journal, read_events
from search.tracking.write.journal_sender import Writer

TRIALS, EPOCHS = 50, 10
WARM_UP_SECONDS = 3.0
# The longest that is waited for what is left at the end.
CLOSE_SECONDS = 300.0


class TimedWriter(Writer):
    """The writer, with its thread's processor time."""

    seconds = 0.0

    def drain(self) -> None:
        """Send all that is waiting."""
        began = time.thread_time()
        try:
            super().drain()
        finally:
            self.seconds += time.thread_time() - began


def measure(folder: Path, rate: float, seconds: float) -> str:
    """Write `rate` results a second to a new store in `folder`; return how late it was, as text."""
    writer = new_writer(folder)
    journal, sent = Journal(folder), SentOffsets(folder)
    sent.start()
    writer.start()
    began = time.time()
    count = write_results(journal, rate, seconds)
    wrote = time.time() - began
    unsent = writer.close(CLOSE_SECONDS)
    left = time.time() - began - wrote
    sent.close()
    late = [
        arrival(event.end, sent.samples) - event.time / 1000
        for event in read_events(folder)
        if event.name == "epoch" and event.time / 1000 > began + WARM_UP_SECONDS
    ]
    middle, slow = np.quantile(late, [0.5, 0.95])
    return (
        f"{count / wrote:.0f} results a second: to the store {middle:.2f} s, {slow:.2f} s at the "
        f"95th percentile; {1000 * writer.seconds / count:.1f} ms a result; the rest sent in "
        f"{left:.1f} s" + (f", {unsent} bytes not" if unsent else "")
    )


def new_writer(folder: Path) -> TimedWriter:
    """Return a writer of a search in a new SQLite store."""
    uri = store_uri(folder / "mlflow.db")
    client = create_store(uri)
    experiment = ensure_experiment(client, "scaling", uri)
    summary = create_summary(
        client, experiment, search="scaling", task="scaling", fingerprint={}, spec_yaml="",
        space_json="{}", objectives=(Objective("score", "maximize"),), storage=folder,
        trials_budget=0, numbers={}, warm_started_from=[], environment={},
    )  # fmt: skip
    return TimedWriter(
        client, folder, search="scaling", experiment=experiment, summary_run=summary, generation=1
    )


def write_results(journal: Journal, rate: float, seconds: float) -> int:
    """Write what `TRIALS` trials at once would; a new one starts when one ends."""
    generator, pace = np.random.default_rng(0), TRIALS / rate
    began = time.time()
    waiting = [(began + pace * generator.uniform(), number, 0) for number in range(TRIALS)]
    heapq.heapify(waiting)
    newest, count = TRIALS, 0
    while time.time() < began + seconds:
        moment, number, epoch = heapq.heappop(waiting)
        time.sleep(max(0.0, moment - time.time()))
        about = {"number": number, "configuration": {"x": 0.5}, "origin": {"step": "random"}}
        if epoch == 0:
            journal.append("start", **about, checkpoints="")
        else:
            metrics = {"score": epoch, "cost": 0.5, "slept": pace, "seconds.epoch": pace}
            journal.append("epoch", number=number, epoch=epoch, metrics=metrics)
            count += 1
        if epoch == EPOCHS:
            journal.append("end", **about, state="complete", epoch=epoch, values=[epoch])
            moment, number, epoch, newest = moment - pace, newest, -1, newest + 1
        pause = pace * generator.uniform(1 - JITTER, 1 + JITTER)
        heapq.heappush(waiting, (moment + pause, number, epoch + 1))
    return count


def main() -> None:
    options = parser("internal.scaling_store", __doc__)
    options.add_argument("--rates", type=float, nargs="+", default=[20.0, 60.0, 200.0])
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    for rate in given.rates:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(Path(folder), rate, given.seconds), flush=True)


if __name__ == "__main__":
    main()
