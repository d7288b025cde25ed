"""A goal holds only with its seeds and its interval."""

from __future__ import annotations

from benchmarks.transfer.gates import Gate


def test_a_gate_needs_its_seeds_and_the_upper_end_of_its_interval() -> None:
    good, wide = (0.0, -0.005, 0.009), (0.0, -0.02, 0.02)
    assert Gate("", 0.01, good, True, 30, 30).verdict == "holds"
    assert "not decided" in Gate("", 0.01, good, True, 3, 30).verdict
    assert "does not hold" in Gate("", 0.01, wide, True, 30, 30).verdict
    assert Gate("", 0.01, wide, False, 30).verdict == "holds, interval not"
