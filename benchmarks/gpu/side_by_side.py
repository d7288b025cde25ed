"""Several processes on one device at once, against one: what a share of a GPU is worth.

Each process trains the same small CNN as a trial of a search with `gpus: 1/n` would, without Ray.
`make gpu-search` measures whole searches.
"""

from __future__ import annotations

from benchmarks.gpu.crew import Crew, Job
from benchmarks.gpu.made_up_data import CIFAR
from benchmarks.gpu.packing.members import Key
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, ratios, spread

_ROUNDS = 3


def run(setting: Setting) -> Findings:
    """Measure one, two and four processes in turn; each trains as many steps as the one alone."""
    key = Key("plain", setting.sized(32, 4), setting.sized(128, 16),
              setting.sized(CIFAR, (3, 8, 8)), "none")  # fmt: skip
    counts = setting.sized((1, 2, 4), (1, 2))
    steps = setting.sized(300, 5)
    rates: dict[int, list[float]] = {count: [] for count in counts}
    left_out = []
    with Crew(max(counts)) as crew:
        for number in range(setting.sized(_ROUNDS, 1)):
            if number and setting.left < 8:
                left_out.append((f"rounds after the first {number}", NO_TIME))
                break
            for count in counts:
                jobs = [
                    Job(key, (member,), steps, setting.sized(4096, 64), setting.device,
                        setting.device == "cuda")
                    for member in range(count)
                ]  # fmt: skip
                rates[count].append(count * steps * key.batch / crew.seconds(jobs))
    rows = [
        [count, spread(each, 0), spread(ratios(each, rates[1]))] for count, each in rates.items()
    ]
    header = ["processes", "images a second, all together", "over one"]
    note = f"{key}; from the first one's first step to the last one's last, rounds in turn."
    return Findings([Table("Processes on one device", header, rows, note)], left_out)
