"""The packing probe: packed members against the loop, and against processes side by side.

Each time is that of `steps` steps of all members, with the drawing of their numbers; a gain is the
loop's time over the other's, round by round. Processes train the members in loops of their own. On
a CPU loop and packed members have one thread each, and their times are CPU seconds of that thread;
processes have a core each as far as the machine has cores, and theirs are by the clock.
"""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.crew import Crew, Job
from benchmarks.gpu.made_up_data import CIFAR, image_tensors
from benchmarks.gpu.packing.equality import GOAL, Differences, compare
from benchmarks.gpu.packing.loop import LoopMember
from benchmarks.gpu.packing.members import Key, draw, draw_members, mask_width, stack
from benchmarks.gpu.packing.packed import Form, PackedMembers
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, in_turn, ratios, spread

FORMS: tuple[Form, ...] = ("grouped", "unfolded")
COUNTS = (1, 4, 16, 64)
# Members of the comparison of gradients, and of the one with processes.
_COMPARED, _SHARED = 4, 16
_ROUNDS = {"cuda": 5, "cpu": 3}
# A gain below it is not worth a second way of training; rounds of one work differ by as much.
WORTH = 1.2


@dataclass
class Measured:
    """What was measured of one key.

    Attributes:
        key: The key.
        seconds: Members -> work -> seconds of each round.
        steps: Members -> steps of each in a round.
        processes: Processes -> seconds of each round.
        differences: Form -> how far its gradients are from the loop's.
        last: How long the last number of members took, by the clock.
    """

    key: Key
    seconds: dict[int, dict[str, list[float]]] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    processes: dict[int, list[float]] = field(default_factory=dict)
    differences: dict[str, Differences] = field(default_factory=dict)
    last: float = 0.0


def keys(setting: Setting) -> list[Key]:
    """Return the keys that are measured, the most important first."""
    if not setting.is_full:
        return [Key("plain", 2, 8, (1, 8, 8), "pgd"), Key("residual", 2, 8, (1, 8, 8), "none")]
    if setting.device == "cpu":
        small = [
            Key(network, 8, 32, (1, 8, 8), method)
            for method in ("none", "pgd") for network in ("plain", "residual")
        ]  # fmt: skip
        return [*small, Key("plain", 16, 64, (3, 16, 16), "none")]
    return [
        *(Key(network, 16, 128, CIFAR, method) for method in ("none", "pgd")
          for network in ("plain", "residual")),
        Key("plain", 64, 128, CIFAR, "none"),
        Key("residual", 64, 128, CIFAR, "none"),
    ]  # fmt: skip


def run(setting: Setting) -> Findings:
    """Measure every key for all numbers of members, as far as time goes."""
    every: list[Measured] = []
    left_out: list[tuple[str, str]] = []
    least = 0.0  # seconds until a key has its first times
    with Crew(setting.sized(4, 2)) as crew:
        for key in keys(setting):
            # A key of larger networks takes longer than the ones before.
            if every and setting.left < 3 * least:
                left_out.append((str(key), NO_TIME))
                continue
            before = setting.left
            images, labels = image_tensors(_examples(setting), key.shape, setting.device)
            measured = Measured(key)
            every.append(measured)
            problems = list(_compare(measured, images, labels, setting))
            for count in setting.sized(COUNTS, (1, 2)):
                problems += _measure(measured, count, (images, labels), setting, crew)
                least = max(least, before - setting.left) if count == 1 else least
            left_out += [(f"{key}: {what}", why) for what, why in problems]
    return Findings(
        [
            *([verdicts(every)] if setting.is_full else []),
            gains(every),
            *shares(every),
            differences(every),
        ],
        left_out,
        _claims(every),
        {"keys": [_raw(measured) for measured in every]},
    )


def _compare(
    measured: Measured, images: Tensor, labels: Tensor, setting: Setting
) -> Iterator[tuple[str, str]]:
    """Compare the gradients of one key, and yield what does not work."""
    members = draw_members(setting.sized(_COMPARED, 2))
    for form in FORMS:
        try:
            found = compare(measured.key, members, images, labels, form)
        except RuntimeError as error:  # one form that does not work leaves the other
            yield f"gradients, {form}", _first_line(error)
        else:
            measured.differences[form] = found


def _measure(
    measured: Measured, count: int, data: tuple[Tensor, Tensor], setting: Setting, crew: Crew
) -> Iterator[tuple[str, str]]:
    """Measure one key for so many members, and yield what is left out."""
    # Four times as many members take up to four times as long.
    if measured.seconds and setting.left < 4 * measured.last:
        yield f"{count} members", NO_TIME
        return
    before = setting.left
    works, steps, problems = _works(measured.key, count, data, setting)
    yield from problems
    rounds = setting.sized(_ROUNDS[setting.device], 1)
    measured.seconds[count] = in_turn(setting, works, rounds)
    measured.steps[count] = steps
    del works
    _free()
    if count == setting.sized(_SHARED, 2):
        measured.processes = _side_by_side(measured.key, count, steps, setting, crew)
    measured.last = before - setting.left


def _side_by_side(
    key: Key, count: int, steps: int, setting: Setting, crew: Crew
) -> dict[int, list[float]]:
    """Return the seconds in which one, two and four processes train the same members, in turn."""
    found: dict[int, list[float]] = {number: [] for number in setting.sized((1, 2, 4), (1, 2))}
    for _ in range(setting.sized(_ROUNDS["cpu"], 1)):
        for processes, seconds in found.items():
            jobs = [
                # Four times as long, as a clock also counts what else the machine does.
                Job(key, tuple(range(first, count, processes)), 4 * steps, _examples(setting),
                    setting.device, setting.device == "cuda")
                for first in range(processes)
            ]  # fmt: skip
            seconds.append(crew.seconds(jobs))
    return found


def _works(
    key: Key, count: int, data: tuple[Tensor, Tensor], setting: Setting
) -> tuple[dict[str, Callable[[], None]], int, list[tuple[str, str]]]:
    """Return the loop and the packed forms as works, their steps, and what does not fit."""
    # Fewer where there are many members, who make a time long enough.
    steps = setting.sized(max(1 if setting.device == "cpu" else 3, 16 // count), 2)
    images, labels = data
    members, device = draw_members(count), setting.device
    precision = torch.bfloat16 if device == "cuda" else None
    loops = [LoopMember(key, member, images, labels, precision) for member in members]
    features, size = mask_width(loops[0].network), len(images)

    def loop() -> None:
        for each, member in zip(loops, members, strict=True):
            draws = draw(key, member, steps, size, features, device)
            for number in range(steps):
                each.step(draws, number)

    def together(packed: PackedMembers) -> Callable[[], None]:
        def work() -> None:
            draws = stack(draw(key, member, steps, size, features, device) for member in members)
            for number in range(steps):
                packed.step(draws, number)

        return work

    works, problems = {"loop": loop}, []
    for form in FORMS:
        work = together(PackedMembers(key, members, images, labels, precision, form))
        try:
            work()
        except RuntimeError as error:  # out of memory, or an operation that does not work packed
            problems.append((f"{count} members, {form}", _first_line(error)))
        else:
            works[form] = work
    return works, steps, problems


def _examples(setting: Setting) -> int:
    return int(setting.sized(4096 if setting.device == "cuda" else 512, 32))


def _first_line(error: RuntimeError) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def gains(every: list[Measured]) -> Table:
    """Return the table of gains over the loop by key and number of members."""
    rows = [
        [measured.key, count, f"{_loop_milliseconds(measured, count):.1f}",
         *(_gain(seconds, form) for form in FORMS)]
        for measured in every for count, seconds in measured.seconds.items()
    ]  # fmt: skip
    return Table(
        "Gain over the loop: how many times faster the same members train packed",
        ["key", "members", "loop: ms a step", *FORMS],
        [[str(row[0]), *row[1:]] for row in rows],
        "Median (least to greatest) of rounds in turn; above 1 packing is faster.",
    )


def _loop_milliseconds(measured: Measured, count: int) -> float:
    """Return the time of one step of one member in the loop."""
    seconds = statistics.median(measured.seconds[count]["loop"])
    return 1000 * seconds / count / measured.steps[count]


def shares(every: list[Measured]) -> list[Table]:
    """Return the table of processes side by side, if any were measured."""
    rows = [
        [str(measured.key), count, spread(ratios(measured.processes[1], seconds))]
        for measured in every for count, seconds in measured.processes.items() if count > 1
    ]  # fmt: skip
    note = "One process that trains all members over several that share them, by the clock."
    header = ["key", "processes", "gain over one"]
    return [Table("Processes side by side", header, rows, note)] if rows else []


def verdicts(every: list[Measured]) -> Table:
    """Return for which keys packing is worth building: see `verdict`."""
    rows = []
    for measured in every:
        other = max(
            (statistics.median(ratios(measured.processes[1], seconds))
             for number, seconds in measured.processes.items() if number > 1), default=0.0,
        )  # fmt: skip
        count, form, found = best(measured) or ("", "none works", [])
        gain, worth = (spread(found), verdict(found)) if found else ("failed", "no")
        gain_of_processes = f"{other:.2f}" if other else ""
        rows.append([str(measured.key), form, count, gain, gain_of_processes, worth])
    return Table(
        "Is packing worth building?",
        ["key", "best form", "members", "gain over the loop", "processes' best gain", "worth it"],
        rows,
        f"Yes, if every round's gain is at least {WORTH}; processes use more cores of a CPU, and "
        "the same GPU.",
    )


def best(measured: Measured) -> tuple[int, str, list[float]] | None:
    """Return members, form and gains of the best packed training of a key, by median.

    None if no form has trained.
    """
    found = [
        (count, form, ratios(seconds["loop"], seconds[form]))
        for count, seconds in measured.seconds.items() for form in FORMS if form in seconds
    ]  # fmt: skip
    return max(found, key=lambda each: statistics.median(each[2]), default=None)


def verdict(found: list[float]) -> str:
    """Return "yes", "no", or "not clear" where rounds lie on both sides of `WORTH`."""
    if min(found) >= WORTH:
        return "yes"
    return "no" if max(found) < WORTH else "not clear"


def _gain(seconds: dict[str, list[float]], form: str) -> str:
    return spread(ratios(seconds["loop"], seconds[form])) if form in seconds else "failed"


def differences(every: list[Measured]) -> Table:
    """Return the table of how far packed gradients are from the loop's, by key and form."""
    rows = [
        [str(measured.key), form, *(f"{value:.1e}" for value in asdict(found).values())]
        for measured in every for form, found in measured.differences.items()
    ]  # fmt: skip
    met = sum(each.packed <= GOAL for measured in every for each in measured.differences.values())
    return Table(
        "Largest difference of a gradient's entry from the loop's, over the gradient's norm",
        ["key", "form", "float32", "the loop's own rounding", "float64", "running statistics",
         "adversarial pixels that differ"],
        rows,
        f"Goal in float32: {GOAL:.0e}, met by {met} of {len(rows)}. The loop's own rounding is its "
        "difference from float64.",
    )  # fmt: skip


def _claims(every: list[Measured]) -> list[tuple[str, bool]]:
    found = [each for measured in every for each in measured.differences.values()]
    exact = max((each.exact for each in found), default=math.inf)
    return [
        ("in float32 gradients differ from the loop's by no more than the rounding of both",
         bool(found) and all(each.is_rounding for each in found)),
        (f"in float64 by at most 1e-14 ({exact:.1e}): it is the same algorithm", exact <= 1e-14),
    ]  # fmt: skip


def _raw(measured: Measured) -> dict[str, Any]:
    return {
        "key": asdict(measured.key), "seconds": measured.seconds,
        "steps": measured.steps, "processes": measured.processes,
        "differences": {form: asdict(each) for form, each in measured.differences.items()},
    }  # fmt: skip
