"""A batch of params, tags and metrics of one run, in as few calls as MLflow allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from search.tracking.store import is_refusal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# MLflow accepts at most 100 params and 100 tags in one batch, and 1,000 entries in all.
PARAMS_A_BATCH = TAGS_A_BATCH = 100
METRICS_A_BATCH = 800

Entry = TypeVar("Entry")


def rounded(value: float) -> float:
    """Returns a value with five digits, as the page's tables show all; a whole number stays."""
    return value if float(value).is_integer() else float(f"{value:.5g}")


@dataclass
class Batch:
    """Params, tags and metrics to log with a run; a later tag replaces one of the same name."""

    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)

    def add_metrics(self, metrics: Mapping[str, float], *, time: int, step: int) -> None:
        """Adds metrics with one time (milliseconds since 1970) and one step."""
        from mlflow.entities import Metric

        self.metrics += [
            Metric(name, float(value), time, step) for name, value in metrics.items()
        ]  # fmt: skip

    def log(self, client: MlflowClient, run: str) -> None:
        """Writes everything, in as few calls as possible; none if there is nothing to write.

        If several calls are needed, the last tags come with the last metrics: the tag that says how
        far a trial is must not be written before the metrics up to there.
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

    def log_entries(self, client: MlflowClient, run: str) -> dict[str, str]:
        """Writes entry by entry; returns those that the store refuses: "metric 'a'" -> reason."""
        from mlflow.entities import Param, RunTag
        from mlflow.exceptions import MlflowException

        refused = {}
        entries: list[tuple[str, str, Any]] = [
            *(("params", name, Param(name, str(value))) for name, value in self.params.items()),
            *(("metrics", metric.key, metric) for metric in self.metrics),
            *(("tags", name, RunTag(name, text)) for name, text in self.tags.items()),
        ]
        for kind, name, entry in entries:
            try:
                client.log_batch(run, **{kind: [entry]})
            except MlflowException as error:
                if not is_refusal(error):
                    raise
                refused[f"{kind.removesuffix('s')} {name!r}"] = str(error)
        return refused


def _portions(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]
