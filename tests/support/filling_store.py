"""A driver that fills a Ray cluster's object store with objects that it keeps in use.

`python -m tests.support.filling_store ADDRESS`; says "full" once it is. What a process has
mapped can neither be evicted nor spilled: more objects go to the disk.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import ray

# Small objects fill the rest; still smaller ones would not go to the store.
LARGE, SMALL = 4 * 2**20, 128 * 2**10


def fill(address: str) -> None:
    """Fills the object store of the node that it joins, and waits."""
    ray.init(address=address, log_to_driver=False)
    room = int(ray.cluster_resources()["object_store_memory"])
    sizes = [LARGE] * (room // LARGE + 2) + [SMALL] * (LARGE // SMALL + 2)
    held = [ray.get(ray.put(np.ones(size, dtype=np.uint8))) for size in sizes]
    print("full", sum(block.nbytes for block in held), room, flush=True)
    while True:
        time.sleep(3600.0)


if __name__ == "__main__":
    fill(sys.argv[1])
