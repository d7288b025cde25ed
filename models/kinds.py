"""The kinds of data that models are trained on: their metrics, columns, and names elsewhere.

A kind is one record here, of facts that several folders look up. Functions by kind are where they
belong: how rows are read in `data/text/`, attacked in `adversarial/text/`, encoded and evaluated in
`training/text/`. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.scores.ranking import RANKING_METRICS, ROBUST_CUTOFF

Kind = Literal["images", "classification", "ranking", "entities", "dialogue"]


@dataclass(frozen=True)
class DataKind:
    """A kind of data.

    Attributes:
        metrics: The clean metrics of a model.
        robust: What an attack lowers; of a dialogue the share of answer tokens predicted.
        auto_class: The class of transformers that loads a model with the head of this kind.
        hub_task: The task on the Hugging Face hub.
        peft_task: The name of its `peft.TaskType`; None for images, which PEFT has no type for.
        embedded: The data sets of this package.
        columns: Columns of a table of texts by our names, with the setting that names another.
        has_text_class: Whether an example is a text, or a pair of texts, with one class.
    """

    metrics: tuple[str, ...]
    robust: str
    auto_class: str
    hub_task: str
    peft_task: str | None
    embedded: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    has_text_class: bool = False


_TEXT_WITH_CLASS = {"text": "text_column", "label": "label_column"}
KINDS: Mapping[str, DataKind] = {
    "images": DataKind(
        ("accuracy.clean",), "accuracy", "AutoModelForImageClassification",
        "image-classification", None, ("digits",),
    ),
    "classification": DataKind(
        ("accuracy.clean", "f1.macro", "matthews"), "accuracy",
        "AutoModelForSequenceClassification", "text-classification", "SEQ_CLS",
        columns=_TEXT_WITH_CLASS, has_text_class=True,
    ),
    "ranking": DataKind(
        RANKING_METRICS, f"ndcg_at_{ROBUST_CUTOFF}", "AutoModelForSequenceClassification",
        "text-ranking", "SEQ_CLS", columns=_TEXT_WITH_CLASS, has_text_class=True,
    ),
    "entities": DataKind(
        ("f1.clean", "precision.clean", "recall.clean", "accuracy.tokens"), "f1",
        "AutoModelForTokenClassification", "token-classification", "TOKEN_CLS",
        columns={"tokens": "text_column", "tags": "label_column"},
    ),
    "dialogue": DataKind(
        ("perplexity", "accuracy.clean"), "accuracy", "AutoModelForCausalLM", "text-generation",
        "CAUSAL_LM", ("dialogue",), {"prompt": "text_column", "answer": "label_column"},
    ),
}  # fmt: skip
TEXT_KINDS = tuple(kind for kind in KINDS if kind != "images")
