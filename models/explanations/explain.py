"""Explains the model of a trial and writes the files: pictures or a page, and how exact they are.

The caller finds the trial and says where the files belong.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.adversarial.threat_model import TextThreat, Threat
from models.catalog import data_kind
from models.data.loading import ImageSplits
from models.data.text.splits import TextSplits
from models.explanations.images import BASELINES, GROUPS, Baseline, explain_images
from models.explanations.picture import draw_examples
from models.explanations.text_page import exactness, text_page
from models.training.protocol import AttackableTraining, EvaluatedTraining
from models.weights.rebuild import TrainedTrial, rebuild

# How the names of all files begin.
PREFIX = "explanation_"
SUMMARY = f"{PREFIX}summary.md"
PAGE = f"{PREFIX}texts.html"
_TITLES = {
    "right": "Right: predicted correctly, also under attack where there are such",
    "wrong": "Wrong: misclassified without an attack",
    "attacked": "Attacked: right before, wrong after",
}


def explain_trial(
    trained: TrainedTrial, threat: Threat | TextThreat, folder: Path, *, count: int,
    baseline: str = "black",
) -> list[Path]:  # fmt: skip
    """Explain examples of the test split by the rebuilt model of a trial.

    Args:
        trained: the trial.
        threat: that of its search.
        folder: where the files are written; those of an earlier explanation are replaced.
        count: the most examples of a group.
        baseline: of images, "black" or "grey"; of texts it is always padding.

    Returns:
        The files, the summary first.

    Raises:
        FileNotFoundError: the checkpoint is missing.
        DataError: the data cannot be read.
        ModuleNotFoundError: captum is not installed.
        ValueError: an unknown baseline, or the model has no gradient to integrate.
    """
    chosen = next((each for each in BASELINES if each == baseline), None)
    if chosen is None:
        raise ValueError(f"baseline {baseline!r}; fix: choose one of {', '.join(BASELINES)}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(threat, Threat):
        from models.training.past_trial import PastTrial

        past = PastTrial(trained, threat)
        return write_images(
            past.classifier(), past.examples("test"), past.label_names, threat, folder,
            count=count, baseline=chosen,
        )  # fmt: skip
    rebuilt = rebuild(trained)
    from models.networks.tokenizer import load_tokenizer
    from models.training.text.encoding import Encoder

    assert trained.base is not None, "a model of texts has a pretrained base"
    encoder = Encoder(
        load_tokenizer(trained.base.folder), data_kind(trained.model), rebuilt.label_names,
        int(trained.configuration["max_length"]),
    )  # fmt: skip
    model = rebuilt.model.to(device).eval()
    return write_texts(model, encoder, rebuilt.splits, threat, folder, count=count)


def write_explanations(
    training: EvaluatedTraining, data: ImageSplits | TextSplits, threat: Threat | TextThreat,
    folder: Path, *, count: int,
) -> list[Path]:  # fmt: skip
    """Explain examples of the test split by the model of an ended training; see `explain_trial`.

    Raises:
        ValueError: the model has no gradient to integrate.
    """
    if isinstance(training, AttackableTraining):
        assert isinstance(threat, Threat), "images are attacked in their pixels"
        examples, model = training.examples("test"), training.classifier()
        return write_images(model, examples, data.label_names, threat, folder, count=count)
    from models.training.text_fine_tuning import TextFineTuning

    assert isinstance(training, TextFineTuning) and isinstance(data, TextSplits)
    assert isinstance(threat, TextThreat), "texts are attacked in their words"
    return write_texts(training.model, training.encoder, data, threat, folder, count=count)


def write_images(
    model: nn.Module, examples: tuple[Tensor, Tensor], names: tuple[str, ...], threat: Threat,
    folder: Path, *, count: int, baseline: Baseline = "black",
) -> list[Path]:  # fmt: skip
    """Explain images and labels by a model, and write a picture a group that has examples."""
    found = explain_images(model, *examples, threat, count=count, baseline=baseline)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / SUMMARY]
    files[0].write_text(exactness(found, f"a {baseline} image"), encoding="utf-8")
    for group in GROUPS:
        file = folder / f"{PREFIX}{group}.png"
        members = [each for each in found if each.group == group]
        file.unlink(missing_ok=True)  # of an earlier explanation
        if members:
            draw_examples(f"{_TITLES[group]} ({threat.ball})", members, names, file)
            files.append(file)
    return files


def write_texts(
    model: nn.Module, encoder: object, splits: TextSplits, threat: TextThreat, folder: Path, *,
    count: int,
) -> list[Path]:  # fmt: skip
    """Explain texts of the test split by a model, and write them as a page."""
    from models.explanations.texts import explain_texts  # transformers takes seconds
    from models.training.text.encoding import Encoder

    assert isinstance(encoder, Encoder)
    found = explain_texts(model, encoder, splits.test, threat, count=count)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / SUMMARY, folder / PAGE]
    files[0].write_text(
        exactness(found, "the embeddings of padding; special tokens keep theirs"),
        encoding="utf-8",
    )
    files[1].write_text(text_page(found, f"Explained texts of {splits.name}"), encoding="utf-8")
    return files
