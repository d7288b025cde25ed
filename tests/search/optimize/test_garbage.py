"""A process of a search neither collects garbage while it imports libraries nor at its exit."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # a new Python process

CODE = """
import gc
from search.optimize.garbage import collect_rarely
collect_rarely()
import search.pipeline
print(gc.get_stats()[2]["collections"])

class Circle:
    def __init__(self): self.own = self
    def __del__(self): print("collected")

Circle()
if {collects}:
    gc.collect()
"""


@pytest.mark.parametrize(("collects", "said"), [(False, "0"), (True, "0 collected")])
def test_garbage_is_collected_when_asked_for_and_not_at_the_exit(collects: bool, said: str) -> None:
    code = CODE.replace("{collects}", str(collects))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == said.split()
