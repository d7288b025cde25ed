"""Whether the nodes' clocks agree with the driver's."""

from __future__ import annotations

import time
from collections.abc import Iterator

from search.diagnose.check import Check, failed, passed
from search.diagnose.nodes import Nodes, problems

# An owner's heartbeat, every 10 s, counts as lapsed after 60 s by the clock of whoever asks: one
# that is 50 s ahead takes a living search over. Logs of several nodes are put in order by seconds.
# A machine that keeps time by NTP is off by milliseconds, so 5 s already says that it does not.
LIMIT_SECONDS = 5.0
# The first answer starts a worker on the node; the quickest of three is a plain round trip.
ROUNDS = 3


def check_clocks(nodes: Nodes) -> Iterator[Check]:
    """How far each node's clock is off, after what the way there and back can explain."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        before = time.time()
        replies = nodes.ask(time.time)
        after = time.time()
        if wrong := problems(replies):
            yield failed("clocks", wrong, "make that node answer")
            return
        for name, reply in replies.items():
            measured = (after - before, skew(before, float(reply.value), after))
            best[name] = min(best.get(name, measured), measured)
    yield judge({name: seconds for name, (_, seconds) in best.items()})


def skew(before: float, there: float, after: float) -> float:
    """Seconds that a clock is ahead (negative: behind), at least; 0 if the way explains it.

    The node looked at its clock somewhere between `before` and `after`, by the driver's clock.
    """
    return there - after if there > after else min(0.0, there - before)


def judge(seconds: dict[str, float]) -> Check:
    """The check for the clock that is farthest off."""
    worst = max(seconds, key=lambda name: abs(seconds[name]))
    off = seconds[worst]
    if abs(off) > LIMIT_SECONDS:
        direction = "ahead of" if off > 0 else "behind"
        found = f"{worst} is {abs(off):.1f} s {direction} the driver"
        return failed("clocks", found, "set it by NTP: timedatectl set-ntp true (or chronyd)")
    return passed("clocks", f"within {max(0.1, abs(off)):.1f} s of the driver's")
