"""`twentieth attack`: the robustness of a past trial, judged again from its checkpoint.

With another epsilon, norm or attack than its search used, or the same; or, with `--verify`, only
the stored witnesses, in seconds. What is found is kept with the trial's run.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from models.adversarial.epsilons import default_epsilon
from models.catalog import Threat, data_kind
from models.networks.base_model import locate_base
from search.tracking.artifacts import (
    ADVERSARIAL_EXAMPLES,
    fetch_adversarial_examples,
    keep_robustness,
)
from search.tracking.store import open_client
from search.transfer.best import wilson_interval
from search.transfer.sources import WeightSource, find_trial

ATTACKS = ("all", "pgd", "apgdt", "autoattack", "square", "fgsm")
SPLITS = ("test", "confirmation")
_NORMS: dict[str, Literal["linf", "l2"]] = {"linf": "linf", "l2": "l2"}
# Where the search's threat says 0, which is no AutoAttack there: as many as its default.
_EXAMPLES = Threat.final_examples


@dataclass(frozen=True)
class AttackRequest:
    """What the command line asked for; empty and None: what the search did."""

    epsilons: Sequence[str] = ()
    norm: str | None = None
    attack: str = "all"
    examples: int | None = None
    split: str = "test"


def attack_trial(tracking_uri: str, reference: str, asked: AttackRequest) -> Iterator[str | Table]:
    """Attacks a trial; yields what to show as it is found, and keeps everything with its run.

    Raises:
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: it is no model of images, or the wishes cannot be met; says which can.
    """
    _check(asked)
    source = _source_of(tracking_uri, reference)
    threats = list(_threats(source, asked))
    from models.adversarial.pixels.autoattack import MISSING, is_installed  # torch costs seconds
    from models.adversarial.pixels.final_evaluation import warnings_text
    from models.training.past_trial import attack, warnings_of

    if asked.attack in ("autoattack", "square") and not is_installed():
        raise ValueError(MISSING)
    past = _past(source)
    attacks: list[Any] = ["fgsm", "pgd", "apgdt"] if asked.attack == "all" else [asked.attack]
    if asked.attack == "all":
        attacks += ["autoattack"] if is_installed() else []
        yield from () if is_installed() else (MISSING,)
    count = asked.examples or threats[0].final_examples or _EXAMPLES
    split: Any = asked.split
    for threat in threats:
        yield f"attacking {source.name} with {threat.ball}: {', '.join(attacks)}"
        found = attack(past, threat, attacks, split, count)
        yield _table(source.name, asked.split, found.metrics)
        document = {
            "threat": dataclasses.asdict(threat), "split": asked.split,
            "figures": [each.to_json() for each in found.metrics],
        }  # fmt: skip
        _keep(tracking_uri, source, f"{asked.attack}_{asked.split}_{threat.ball}", document,
              found.adversarial_examples)  # fmt: skip
    warnings = warnings_of(past, threats[0], split, count)
    yield warnings_text(warnings) or "no warning of false security"
    if warnings:
        name = f"warnings_{asked.split}_{threats[0].ball}.md"
        texts = {name: warnings_text(warnings)}
        keep_robustness(open_client(tracking_uri), source.trial.run_id, texts, [])


def verify_trial(tracking_uri: str, reference: str) -> Iterator[str | Table]:
    """Checks all witnesses of a trial against its rebuilt model; yields what to show.

    Raises:
        LookupError: there is no such trial, its checkpoint is gone, or it has no witnesses.
        ValueError: it is no model of images, or a file is damaged.
    """
    source = _source_of(tracking_uri, reference)
    from models.training.past_trial import verify_file  # torch costs seconds

    table = Table("figure", "split", "bound", "95 % interval", "examples", "wrong clean",
                  "witnesses", "confirmed", "seconds", title=f"Witnesses of {source.name}",
                  title_justify="left", box=None)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_adversarial_examples(
            open_client(tracking_uri), source.trial.run_id, Path(folder)
        )
        if not files:
            raise LookupError(
                f"{source.name} has no witnesses: `twentieth attack {reference}` makes some"
            )
        past = _past(source)
        for file in files:
            begun = time.perf_counter()
            witnesses, checked = verify_file(past, file)
            seconds = time.perf_counter() - begun
            if not checked.is_same_model:
                yield f"{file.name} was made for other weights; what it still proves is counted"
            table.add_row(
                witnesses.metric, witnesses.split, f"{checked.bound:.4f}",
                _interval(checked.bound, checked.examples), str(checked.examples),
                str(checked.wrong), str(len(witnesses.index)), str(checked.confirmed),
                f"{seconds:.2f}",
            )  # fmt: skip
    yield table
    yield "robust accuracy on these examples cannot be above its bound"


def epsilon_of(text: str, norm: str) -> float:
    """An epsilon as typed: `0.1` or `8/255`.

    Raises:
        ValueError: it is no positive number, or cannot be meant on the pixel scale [0, 1].
    """
    above, slash, below = text.partition("/")
    try:
        value = float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"epsilon {text!r}: give a positive size in pixels, such as 0.1 or 8/255")
    if norm == "linf" and value >= 1:
        meant = f"did you mean {text}/255?" if value < 255 and not slash else "give less than 1"
        raise ValueError(
            f"epsilon {text}: pixels are in [0, 1], so every image is within 1; {meant}"
        )
    return value


def _check(asked: AttackRequest) -> None:
    for name, value, valid in (
        ("attack", asked.attack, ATTACKS),
        ("split", asked.split, SPLITS),
        ("norm", asked.norm or "linf", tuple(_NORMS)),
    ):
        if value not in valid:
            raise ValueError(f"--{name} {value!r}: choose one of {', '.join(valid)}")


def _source_of(tracking_uri: str, reference: str) -> WeightSource:
    source = find_trial(tracking_uri, reference)
    if data_kind(source.spec.task.model) != "images":
        raise ValueError(
            f"{source.name} is a {source.spec.task.model}, and `attack` is for models of images. "
            "Texts are attacked by 'characters' or 'words' in every trial: set `robustness:` in a "
            "spec and run it"
        )
    if not source.has_checkpoint:
        raise LookupError(
            f"no checkpoint of {source.name} is left in {source.checkpoints}: mount the folder, or "
            "name another trial"
        )
    source.check_data()
    return source


def _threats(source: WeightSource, asked: AttackRequest) -> Iterator[Threat]:
    own = source.spec.robustness
    assert isinstance(own, Threat), "a model of images is attacked by its pixels"
    norm: Literal["linf", "l2"] = own.norm if asked.norm is None else _NORMS[asked.norm]
    threat = dataclasses.replace(own, norm=norm)
    sizes = [epsilon_of(text, threat.norm) for text in asked.epsilons]
    if not sizes and threat.norm != own.norm:
        known = default_epsilon(source.fingerprint["data"]["name"], threat.norm)
        if known is None:
            raise ValueError(f"--norm {asked.norm}: the search used {own.norm}; add --epsilon")
        sizes = [known]
    yield from [threat.at(size) for size in sizes] or [threat]


def _past(source: WeightSource) -> Any:
    from models.training.past_trial import PastTrial
    from models.weights.rebuild import Trained

    task, threat = source.spec.task, source.spec.robustness
    assert isinstance(threat, Threat), "checked before"
    trained = Trained(
        source.name, task.model, source.configuration, task.data, source.checkpoints,
        locate_base(task.base) if task.base else None, source.initial,
    )  # fmt: skip
    return PastTrial(trained, threat)


def _table(trial: str, split: str, figures: Sequence[Any]) -> Table:
    table = Table(title=f"{trial} on {figures[0].examples} {split} images",
                  title_justify="left", box=None)  # fmt: skip
    for column in ("attack", "epsilon", "accuracy", "95 % interval", "seconds"):
        table.add_column(column, justify="left" if column == "attack" else "right")
    for each in figures:
        size = f"{each.epsilon:.4g}" if each.epsilon else "-"
        table.add_row(
            Text(each.metric), size, f"{each.accuracy:.4f}",
            _interval(each.accuracy, each.examples), f"{each.seconds:.1f}",
        )  # fmt: skip
    return table


def _interval(share: float, examples: int) -> str:
    low, high = wilson_interval(share, examples)
    return f"{low:.3f} to {high:.3f}"


def _keep(
    tracking_uri: str, source: WeightSource, name: str, document: Any, witnesses: Any
) -> None:
    from models.adversarial.pixels.adversarial_examples import save_adversarial_examples

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"witnesses_{name}{ADVERSARIAL_EXAMPLES}"
        save_adversarial_examples(witnesses, file)
        texts = {f"attack_{name}.json": json.dumps(document, indent=1) + "\n"}
        keep_robustness(open_client(tracking_uri), source.trial.run_id, texts, [file])
