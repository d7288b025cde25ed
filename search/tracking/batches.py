"""What is to be written to one run, gathered from many events, in as few calls as a store allows.

One call costs MLflow as much for ten epochs as for two or three, so that a writer who is behind
catches up by gathering (writer.py). Not for what cannot wait, nor for files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# MLflow takes at most 100 params and 100 tags in one batch, and 1,000 entries in all.
PARAMS_A_BATCH = TAGS_A_BATCH = 100
METRICS_A_BATCH = 800

Entry = TypeVar("Entry")


@dataclass
class Batch:
    """Params, tags and metrics of a run; of two tags of one name the later counts."""

    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)

    def measure(self, metrics: Mapping[str, float], *, time: int, step: int) -> None:
        """Adds metrics of one time (milliseconds since 1970) and one step."""
        from mlflow.entities import Metric

        self.metrics += [
            Metric(name, float(value), time, step) for name, value in metrics.items()
        ]  # fmt: skip

    def log(self, client: MlflowClient, run: str) -> None:
        """Writes it all; nothing at all if there is nothing.

        Where one call does not hold it, the last tags come with the last metrics: a tag that says
        how far a trial is must not be there before what it speaks of.
        """
        from mlflow.entities import Param, RunTag

        params = [Param(name, str(value)) for name, value in self.params.items()]
        tags = [RunTag(name, text) for name, text in self.tags.items()]
        calls = zip_longest(
            reversed(_portions(self.metrics, METRICS_A_BATCH)),
            reversed(_portions(params, PARAMS_A_BATCH)),
            reversed(_portions(tags, TAGS_A_BATCH)),
            fillvalue=(),
        )
        for some_metrics, some_params, some_tags in reversed(list(calls)):
            client.log_batch(run, metrics=some_metrics, params=some_params, tags=some_tags)


def _portions(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]
