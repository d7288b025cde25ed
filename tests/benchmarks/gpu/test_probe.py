"""The packing probe's tables, also where packed training does not work."""

from __future__ import annotations

from benchmarks.gpu.packing.members import Key
from benchmarks.gpu.packing.probe import Measured, _claims, best, gains, verdicts

KEY = Key("plain", 2, 8, (1, 8, 8), "none")


def test_the_best_form_and_number_of_members_decide_whether_packing_is_worth_it() -> None:
    measured = Measured(KEY, steps={4: 1, 16: 1})
    measured.seconds[4] = {"loop": [4.0, 4.0], "grouped": [4.0, 2.0], "unfolded": [8.0, 8.0]}
    measured.seconds[16] = {"loop": [16.0, 16.0], "grouped": [8.0, 4.0]}
    assert best(measured) == (16, "grouped", [2.0, 4.0])
    (row,) = verdicts([measured]).rows
    assert row[1:] == ["grouped", 16, "3.00 (2.00 to 4.00)", "", "yes"]
    measured.seconds.pop(16)
    assert verdicts([measured]).rows[0][-1] == "not clear"  # gains of 1 and 2


def test_a_key_that_cannot_be_packed_is_told_with_the_others() -> None:
    measured = Measured(KEY, seconds={4: {"loop": [4.0]}}, steps={4: 1})
    (row,) = verdicts([measured]).rows
    assert row[1] == "none works" and row[-1] == "no"
    assert gains([measured]).rows[0][-2:] == ["failed", "failed"]
    assert not any(holds for _, holds in _claims([measured]))
