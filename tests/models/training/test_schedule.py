import itertools
import math

import pytest

from models.training.optimizer import warmed_up

CONFIGURATION = {
    "adaptation": "lora",
    "lora.learning_rate": 2.0,
    "warmup_share": 0.2,
    "schedule": "linear",
}


def test_the_rate_rises_to_the_adaptations_own_peak_and_falls_on_a_line() -> None:
    rates = [warmed_up(CONFIGURATION, step, 10) for step in range(10)]
    assert rates[:3] == pytest.approx([2 / 3, 4 / 3, 2.0])
    assert rates[-1] == pytest.approx(2 / 8)
    falls = [a - b for a, b in itertools.pairwise(rates[2:])]
    assert falls == pytest.approx([2 / 8] * 7)


def test_the_cosine_is_at_half_its_peak_half_way_down() -> None:
    assert warmed_up(CONFIGURATION | {"schedule": "cosine"}, 6, 10) == pytest.approx(1.0)


def test_a_constant_rate_stays_after_warm_up() -> None:
    rates = [warmed_up(CONFIGURATION | {"schedule": "constant"}, step, 10) for step in range(2, 10)]
    assert rates == [2.0] * 8


def test_all_warm_up_or_none_is_finite_and_positive() -> None:
    for share in (0.0, 1.0):
        for steps in (1, 5):
            rates = [
                warmed_up(CONFIGURATION | {"warmup_share": share}, step, steps)
                for step in range(steps)
            ]
            assert all(math.isfinite(rate) and rate > 0 for rate in rates)
