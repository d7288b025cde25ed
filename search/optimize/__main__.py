"""The driver as a process: `python -m search.optimize FD`, started by `process.py`.

FD is the descriptor of a pipe, on which the parent sends its `sys.path` and then the plan. What it
sends is trusted: nobody else holds the pipe's other end.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection


def main() -> None:
    """Takes the plan from the parent, and drives it."""
    parent = Connection(int(sys.argv[1]))
    # Before anything else is imported: the user's own code lies where the parent finds it.
    sys.path[:] = parent.recv()
    from search.optimize.garbage import collect_rarely

    collect_rarely()
    from search.optimize.driver import drive

    drive(parent.recv(), parent)


if __name__ == "__main__":
    main()
