"""The card of an exported model: front matter that a hub reads, and Markdown for people.

The front matter keeps the format of model cards on the Hugging Face hub (`model-index` after
Papers with Code), and holds scores of the test split alone: those of the validation split took part
in the choice of the trial. Not for the model itself (`models/weights/export.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from models.adversarial.checks.search_warnings import doubts
from models.catalog import data_kind
from models.kinds import KINDS
from models.networks.own_code import PREFIX
from models.scores.cost_names import COST_MEASURES
from models.scores.metric_names import MetricName
from search.history import Trial
from search.history.lineage import lineage_in_words
from search.history.plurals import counted
from search.objectives.objective import value_text
from search.transfer.best import TestValue, values_on_test
from search.transfer.sources import WeightSource

if TYPE_CHECKING:
    from models.weights.export import Exported

# Measures that say nothing about the quality of the model.
_COSTS = (*COST_MEASURES, "queries", "words_changed", "loss")
# The hub's names of metrics that differ from ours.
_METRICS = {"matthews": "matthews_correlation"}


def model_card(
    source: WeightSource, exported: Exported, versions: Mapping[str, str], warning: str = ""
) -> str:
    """Write the model card.

    Args:
        source: The trial.
        exported: Its exported model.
        versions: Part -> version, of the software it was trained with.
        warning: Why the model is no better than a trivial one; empty if it is.
    """
    data, base, trial = source.fingerprint["data"], source.fingerprint.get("base"), source.trial
    labels = ", ".join(f"{number} {name}" for number, name in enumerate(exported.label_names))
    sizes = ", ".join(f"{data[split]} {split}" for split in ("train", "validation", "test"))
    from_scratch = "The pretrained base alone." if base else "None: trained from scratch."
    made = ", ".join(f"{part} {version}" for part, version in versions.items())
    sections = [
        f"---\n{front_matter(source, exported)}---",
        f"# {source.spec.task.name}, {source.name}",
        f"> **Warning: this model has learned nothing**: {warning}." if warning else "",
        f"{_what(source)}, found by a hyperparameter search with Twentieth.",
        f"## Use\n\n{_use(exported)}",
        f"Labels by number: {labels}." if labels else "",
        f"## Metrics\n\n{_metrics(trial)}",
        f"## Data\n\n{data['name']}, digest {data['digest']}: {sizes} examples. Licence: "
        f"{_licence(source)}.",
        f"## Base\n\n{base['name']}, digest {base['digest']} over its configuration, weights and "
        f"tokenizer. For its licence and its training data, see its authors' documentation."
        if base
        else "",
        f"## Hyperparameters\n\n```yaml\n{_yaml(source.configuration)}```",
        f"## Initial weights\n\n{lineage_in_words(source.lineage) or from_scratch}",
        f"## Training\n\nTrial {trial.number} of the search {source.summary.search} (MLflow run "
        f"{trial.run_id}, task {trial.task}), {counted(trial.epoch, 'epoch')}, "
        f"{trial.seconds:.0f} seconds. Software: {made}.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def front_matter(source: WeightSource, exported: Exported) -> str:
    """Return the YAML that a hub reads.

    A base or data set that is no repository of the hub is given by its name, with a comment.
    """
    task, base = source.spec.task, source.fingerprint.get("base")
    data_name, is_on_hub = _data_name(source)
    kind = KINDS[data_kind(task.catalog_name)].hub_task
    record: dict[str, Any] = {
        "library_name": exported.library,
        "pipeline_tag": kind,
        "license": "other",
        "license_name": f"that of its data ({_licence(source)})",
    }
    replace: list[str] = []
    if base:
        name = str(base["name"])
        record["base_model"] = name.removeprefix("hub:").partition("@")[0]
        record["base_model_relation"] = "finetune" if exported.is_merged else "adapter"
        replace += [] if name.startswith("hub:") else ["base_model"]
    record["datasets"] = [data_name]
    replace += [] if is_on_hub else ["datasets"]
    record["tags"] = ["twentieth", task.model or "pytorch"]
    results = _results(source.trial)
    if results:
        data = {"type": data_name, "name": source.fingerprint["data"]["name"], "split": "test"}
        about = {
            "task": {"type": kind, "name": kind.replace("-", " ").capitalize()},
            "dataset": data,
            "metrics": results,
        }
        record["model-index"] = [{"name": source.name, "results": [about]}]
    lines = []
    for line in _yaml(record).splitlines():
        key = line.partition(":")[0]
        lines.append(f"{line}  # no id of the hub: put it here" if key in replace else line)
    return "\n".join(lines) + "\n"


def _results(trial: Trial) -> list[dict[str, Any]]:
    """Return the scores on the test split, in the hub's form; none under attack if in doubt."""
    found = []
    is_in_doubt = bool(doubts(trial.last_values))
    for text, result in values_on_test(trial).items():
        name = MetricName.parse(text)
        is_believed = math.isfinite(result.value) and not (name.is_attacked and is_in_doubt)
        if _is_score(name) and is_believed:
            found.append(_result(name, result))
    return found


def _is_score(name: MetricName) -> bool:
    """Return whether a metric says how good the model is: no cost, count or bound."""
    return name.measure not in _COSTS and not name.is_count and name.bound is None


def _result(name: MetricName, result: TestValue) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": _METRICS.get(name.measure, name.measure),
        "value": result.value,
        "name": str(name),
    }
    if name.is_attacked:
        known = {
            "attack": name.attack, "norm": name.norm, "epsilon": name.epsilon, "steps": name.steps,
            "restarts": name.restarts, "word_share": None if name.norm else float(name.size),
        }  # fmt: skip
        _, _, attack = str(name).partition(".")
        entry["name"] = f"{name.measure} under the attack {attack} (upper bound)"
        entry["args"] = {key: value for key, value in known.items() if value is not None}
    return entry


def _data_name(source: WeightSource) -> tuple[str, bool]:
    """Return the name of the data set, and whether it is one of the hub."""
    hub = source.spec.task.data.get("hub")
    if hub:
        return str(hub).partition("@")[0], True
    return str(source.fingerprint["data"]["name"]), False


def _licence(source: WeightSource) -> str:
    return str(source.fingerprint["data"].get("licence") or "not stated")


def _use(exported: Exported) -> str:
    parts = ["In this folder:", f"```python\n{exported.usage.code}\n```", exported.usage.notes]
    if exported.onnx:
        check, code = exported.onnx
        parts += [f"Without torch, by ONNX Runtime ({check}):", f"```python\n{code}\n```"]
    return "\n\n".join(part for part in parts if part)


def _what(source: WeightSource) -> str:
    task = source.spec.task
    if task.network is None:
        return f"Model: {task.trains.replace('_', ' ')}"
    digest = source.fingerprint.get("code", "unknown")
    return f"Network: built by `{task.network.removeprefix(PREFIX)}`, source digest {digest}"


def _metrics(trial: Trial) -> str:
    last = {
        name: trial.last(name)
        for name, curve in trial.curves.items()
        if curve and MetricName.parse(name).split != "test"
    }
    last |= trial.by_metric
    test = values_on_test(trial)
    lines = ["| metric | validation | test (95 %) |", "|---|---|---|"]
    names = map(MetricName.parse, dict.fromkeys((*trial.metrics, *sorted(last), *test)))
    shown = list(filter(_is_score, names))
    for name in shown:
        bound, metric = ", upper bound" if name.is_upper_bound else "", str(name)
        validation = value_text(last.get(metric, math.nan))
        lines.append(f"| {name}{bound} | {validation} | {test.get(metric, '')} |")
    text = "\n".join(lines)
    if any(name.is_upper_bound for name in shown):
        text += (
            "\n\nValues under attack are upper bounds: the attack named need not find the worst "
            "case. The validation split took part in choosing this trial, the test split did not."
        )
    for doubt in doubts(trial.last_values):
        text += (
            "\n\n> **Warning: its gradients may be masked, so that values under attack are too "
            f"high**: {doubt.name} ({doubt.measured}); {doubt.meaning}."
        )
    return text


def _yaml(record: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True, width=1000))
