"""The spec of a search: its YAML file, checked once, then frozen."""

from search.spec.checks import SAMPLER_OPTIONS
from search.spec.errors import SpecError
from search.spec.load import checked_again, load_changed, load_spec, spec_from_yaml, with_first
from search.spec.sections import (
    Budget,
    HistorySettings,
    HyperparameterSpec,
    Sampler,
    Scheduler,
    Task,
)
from search.spec.spec import Spec, task_id

__all__ = [
    "SAMPLER_OPTIONS",
    "Budget",
    "HistorySettings",
    "HyperparameterSpec",
    "Sampler",
    "Scheduler",
    "Spec",
    "SpecError",
    "Task",
    "checked_again",
    "load_changed",
    "load_spec",
    "spec_from_yaml",
    "task_id",
    "with_first",
]
