"""Generates the reference of metrics and tags from the code that writes and reads them.

A tag's meaning is the comment at its constant. A metric without a meaning fails the build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from spec_pages import table

from models.catalog import MODELS, default_threat
from models.catalog import metrics as metrics_of
from models.scores.metric_names import MetricName
from models.scores.ranking import CUTOFFS
from search.tracking import tag_names

# Metrics that are not measured under an attack. The rest of a name follows the form of MetricName.
PLAIN = {
    "accuracy.clean": "share of examples, or of a language model's answer tokens, that are right",
    "accuracy.tokens": "share of first sub-tokens with the right tag",
    "accuracy.corrupted": "mean accuracy over the three corruptions; no attack, and cheap",
    "accuracy.corrupted_noise": "accuracy on images with Gaussian noise",
    "accuracy.corrupted_blur": "accuracy on blurred images",
    "accuracy.corrupted_contrast": "accuracy on images of low contrast",
    "f1.clean": "F1 of whole entities (seqeval: strict, IOB2)",
    "f1.macro": "mean of the F1 of the classes",
    "precision.clean": "precision of whole entities",
    "recall.clean": "recall of whole entities",
    **{
        f"ndcg_at_{cutoff}.clean": f"NDCG of the first {cutoff} items, mean over groups"
        for cutoff in CUTOFFS
    },
    **{
        f"hit_rate_at_{cutoff}.clean": f"share of groups with a relevant item in the first {cutoff}"
        for cutoff in CUTOFFS
    },
    "mrr.clean": "mean of 1 / rank of a group's first relevant item",
    "matthews": "Matthews correlation coefficient",
    "perplexity": "perplexity of the answers",
    "loss.train": "mean training loss of the epoch",
    "loss.validation": "loss on the selection part of the validation split",
    "collapsed": "1 if FGSM training has collapsed (catastrophic overfitting), else 0",
    "epoch.selected": "the epoch whose weights were selected",
    "gradients.train": "gradient computations so far, in passes over the training data",
    "seconds.train": "time of the epoch's training",
    "seconds.evaluation": "time of the epoch's evaluation",
    "seconds.setup": "time from the trial's start to its first epoch",
    "work.train": "work of the epoch's training in FLOP, attacks included",
    "work.evaluation": "work of the epoch's evaluation in FLOP, attacks included",
    "seconds.total": "time of the trial's epochs so far",
    "seconds.cpu": "CPU seconds of these epochs, of all cores of the worker's process",
    "seconds.gpu": "GPU seconds of these epochs: their time times `resources.gpus`; only on a GPU",
    "parameters.total": "number of weights",
    "parameters.trainable": "number of weights that train",
    "disk.model_mb": "megabytes (10^6 bytes) of the weights in a file",
    "work.example": "FLOP of a prediction of one example; the same on every machine",
    "latency.ms": "time of a prediction of one example in milliseconds: median of repeated passes",
    "latency.spread": "interquartile range of these passes over their median: how noisy they were",
    "throughput.per_second": "examples a second in a batch of 64: from the median of its passes",
    "memory.peak_mb": "peak memory of the worker",
    "examples": "number of examples behind the metrics without an attack",
    "attacked_examples": "number of examples behind the metrics under attack",
    "entities": "number of true entities in these examples",
    "attacked_entities": "number of true entities in the attacked examples",
    "queries.mean": "edited texts that the model was asked for, per attacked example",
    "words_changed.share": "share of words changed in the texts that the attack broke",
}
ATTACKS = {
    "fgsm": "one gradient step",
    "pgd": "PGD",
    "apgdt": "targeted APGD",
    "square": "Square, which needs no gradients",
    "autoattack": "AutoAttack",
    "worst": "all attacks that were run, example by example",
    "characters": "greedy typos (DeepWordBug)",
    "words": "greedy synonyms",
    "fgm": "FGM on the embeddings, a diagnostic",
    "pgd_embedding": "PGD on the embeddings, a diagnostic",
}
PARTS = {"selection": "selection part", "confirmation": "confirmation part", "test": "test split"}
# One name of each form.
FORMS = (
    "accuracy.clean",
    "accuracy.pgd10_linf_0.1",
    "accuracy.pgd10x2_linf_8_255",
    "accuracy.apgdt_l2_0.5",
    "test.accuracy.autoattack_linf_8_255",
    "test.accuracy.worst_linf_8_255",
    "selection.accuracy.pgd3_linf_0.1",
    "accuracy.characters_0.15",
    "f1.words_0.1_cheap32",
    "ndcg_at_10.characters_0.15",
    "unconfirmed.accuracy.pgd10_linf_0.1",
)
CONSTANT = re.compile(
    r'^[A-Z_]+ = "(?P<tag>twentieth\.[\w.]+|mlflow\.[\w.]+)"(?:  # (?P<after>.+))?$'
)


def metric_names() -> str:
    """Returns a table of names as examples, each with what it says."""
    return table(("metric", "meaning"), [(f"`{name}`", meaning(name)) for name in FORMS])


def metrics() -> str:
    """Returns a table of the metrics that every trial of a model logs, with its default threat."""
    parts = []
    for model in MODELS:
        rows = [(f"`{name}`", meaning(name)) for name in metrics_of(model, default_threat(model))]
        parts.append(f"### {model}\n\n" + table(("metric", "meaning"), rows))
    return "\n\n".join(parts)


def meaning(metric: str) -> str:
    """Returns what a metric of the catalog is; fails on one that has no meaning here."""
    name = MetricName.parse(metric)
    where = "" if name.split == "validation" else f" (on the {PARTS[name.split]})"
    where += " (replaced by a stronger attack)" if name.is_unconfirmed else ""
    if name.attack is None and str(name.on("validation")) not in PLAIN:
        raise ValueError(f"metric {metric} has no meaning; fix: add it to PLAIN in {__file__}")
    if name.attack is None:
        return PLAIN[str(name.on("validation"))] + where
    words = f"{name.measure} under {ATTACKS[name.attack]}"
    if name.steps:
        words += f" of {name.steps} steps"
    if name.restarts:
        words += f", {name.restarts} random starts"
    words += f", {name.norm} {name.size.replace('_', '/')}" if name.norm else f", share {name.size}"
    if name.cheap_examples:
        words += f", on {name.cheap_examples} examples after every epoch"
    return words + where


def tags() -> str:
    """Returns a table of the tags of trial and summary runs."""
    return table(("tag", "meaning"), [(f"`{tag}`", text) for tag, text in tag_meanings()])


def tag_meanings() -> Iterator[tuple[str, str]]:
    """Yields each tag and its comment: after it, else the comment lines above it; else ""."""
    above: list[str] = []
    for line in inspect.getsource(tag_names).splitlines():
        found = CONSTANT.match(line)
        if found:
            yield found["tag"], found["after"] or " ".join(above)
        above = [*above, line.removeprefix("# ")] if line.startswith("# ") else []
