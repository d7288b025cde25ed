"""The speed of each device, from work and seconds of the same epochs."""

from __future__ import annotations

from typing import Any

from search.extract.device_speed import DeviceSpeed, device_speeds
from tests.support.synthetic_history import history, points, row


def trained(
    number: int, device: str | None, work: dict[int, float], seconds: dict[int, float]
) -> dict[str, Any]:
    """A trial whose own seconds include waiting, which is no speed."""
    curves = points("work.epoch", work) + points("seconds.epoch", seconds)
    return row(number, [0.5, 0.5], device=device, curves=curves, seconds=1000.0)


def test_the_speed_of_a_device_is_the_median_over_its_trials() -> None:
    found = device_speeds(history([
        trained(0, "GPU", {1: 60.0, 2: 40.0}, {1: 1.0, 2: 1.0}),
        trained(1, "GPU", {1: 90.0}, {1: 1.0}),
        trained(2, "GPU", {1: 10.0}, {1: 1.0}),
        trained(3, "CPU", {1: 10.0}, {1: 2.0}),
    ]))  # fmt: skip
    assert found == {"GPU": DeviceSpeed(50.0, 3), "CPU": DeviceSpeed(5.0, 1)}
    assert found["CPU"].seconds(100.0) == 20.0


def test_trials_whose_work_time_or_device_is_unknown_have_no_speed() -> None:
    nan = float("nan")
    assert device_speeds(history([])) == {}
    assert device_speeds(history([row(0, [0.5, 0.5], device="GPU")])) == {}
    assert device_speeds(history([
        trained(0, None, {1: 60.0}, {1: 1.0}),
        trained(1, "GPU", {}, {1: 1.0}),
        trained(2, "GPU", {1: 60.0}, {}),
        trained(3, "GPU", {1: nan}, {1: 1.0}),
    ])) == {}  # fmt: skip
