"""Processes that train side by side on one device, started once for several measurements.

Starting one takes seconds (imports, CUDA), which no measurement counts: a job is prepared and
warmed up first, and all begin together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType

import torch

from benchmarks.gpu.made_up_data import image_tensors
from benchmarks.gpu.packing.loop import LoopMember
from benchmarks.gpu.packing.members import Key, draw, draw_members, mask_width
from benchmarks.gpu.part import wait_for

# More than a start or a measurement takes; only a process that hangs needs it.
_SECONDS = 90.0
_WARM = 2


@dataclass(frozen=True)
class Job:
    """Members that one process trains, one after another.

    Attributes:
        key: What they have in common.
        members: Numbers of the members among those that are drawn.
        steps: Steps of each.
        examples: Images of the data set.
        device: "cuda" or "cpu".
        is_mixed: Whether forward passes of training are in bfloat16.
    """

    key: Key
    members: tuple[int, ...]
    steps: int
    examples: int
    device: str
    is_mixed: bool


class Crew:
    """Up to `count` processes, as a context: they end with it."""

    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        self._pipes, self._processes = [], []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        place: TracebackType | None,
    ) -> None:  # fmt: skip
        for pipe in self._pipes:
            pipe.close()  # the process's wait for another job ends with it
        for process in self._processes:
            process.join(2)
            if process.is_alive():
                process.kill()
                process.join()

    def seconds(self, jobs: Sequence[Job]) -> float:
        """Run each job in a process of its own; return the seconds from first start to last end.

        Raises:
            RuntimeError: one has failed, or does not answer.
        """
        pipes = self._pipes[: len(jobs)]
        for pipe, job in zip(pipes, jobs, strict=True):
            pipe.send(job)
        for pipe in pipes:
            _answer(pipe)  # it is warm
        for pipe in pipes:
            pipe.send("go")
        spans = [_answer(pipe) for pipe in pipes]
        return max(end for _, end in spans) - min(begun for begun, _ in spans)


def prepared(job: Job) -> Callable[[int], None]:
    """Return a function that trains every member of a job for some steps, one after another."""
    images, labels = image_tensors(job.examples, job.key.shape, job.device)
    drawn = draw_members(max(job.members) + 1)
    members = [drawn[number] for number in job.members]
    precision = torch.bfloat16 if job.is_mixed else None
    loops = [LoopMember(job.key, member, images, labels, precision) for member in members]
    features = mask_width(loops[0].network)

    def train(steps: int) -> None:
        for loop, member in zip(loops, members, strict=True):
            draws = draw(job.key, member, steps, len(images), features, job.device)
            for number in range(steps):
                loop.step(draws, number)
        wait_for(job.device)

    return train


def _answer(pipe: Connection) -> tuple[float, float]:
    if not pipe.poll(_SECONDS):
        raise RuntimeError(f"a process did not answer within {_SECONDS:.0f} s")
    try:
        answer: tuple[float, float] | str = pipe.recv()
    except EOFError as error:
        raise RuntimeError("a process has ended") from error
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return answer


def _work(jobs: Connection) -> None:
    torch.set_num_threads(1)
    while True:
        try:
            job: Job = jobs.recv()
        except EOFError:
            return
        try:
            train = prepared(job)
            train(_WARM)
            jobs.send((0.0, 0.0))
            jobs.recv()
            begun = time.monotonic()  # one clock for all processes of a machine
            train(job.steps)
            jobs.send((begun, time.monotonic()))
        except EOFError:
            return
        except BaseException as error:  # told to the process that waits
            jobs.send(f"{type(error).__name__}: {error}")
