"""`twentieth attack`: evaluates the robustness of a past trial again, from its checkpoint.

The epsilon, norm and attack may differ from those of its search. The results are stored with the
trial's run. `--verify` checks stored ones: `verify.py`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from models.adversarial.epsilons import default_epsilon
from models.catalog import Threat
from models.scores.metric_names import AttackName
from search.history.plurals import counted
from search.session.screen import out
from search.spec.own_code import NOTHING, Allowed
from search.tracking.artifacts import ADVERSARIAL_EXAMPLES, keep_robustness
from search.tracking.store import open_client
from search.transfer.best import interval_text
from search.transfer.sources import WeightSource, check_checkpoint, find_trial

ATTACKS = ("all", *get_args(AttackName))
SPLITS = ("test", "confirmation")
NORMS = ("linf", "l2")
# How the names of the two files of an attack begin.
EXAMPLES, DOCUMENT = "adversarial_examples_", "attack_"


@dataclass(frozen=True)
class AttackRequest:
    """The options of the command line; what is empty or None is as in the search."""

    epsilons: Sequence[str] = ()
    norm: str | None = None
    attack: str = "all"
    examples: int | None = None
    split: str = "test"


def attack_trial(
    tracking_uri: str, reference: str, asked: AttackRequest, allowed: Allowed = NOTHING
) -> Iterator[str | Table]:
    """Attacks a trial; yields results as they come, and stores them with its run.

    Raises:
        PermissionError: it has a network of the user's, whose code was not allowed or has changed.
        LookupError: there is no such trial, or its checkpoint is gone.
        ValueError: its model is not one of images, or an option is invalid; names the valid ones.
    """
    for name, value, valid in (
        ("attack", asked.attack, ATTACKS),
        ("split", asked.split, SPLITS),
        ("norm", asked.norm or "linf", NORMS),
    ):
        if value not in valid:
            raise ValueError(f"--{name} {value!r}: choose one of {', '.join(valid)}")
    source, own = find_attackable(tracking_uri, reference)
    threats = _threats(source, own, asked)
    from models.adversarial.pixels.autoattack import MISSING, is_installed  # torch costs seconds
    from models.adversarial.pixels.final_evaluation import warnings_text
    from models.training.past_trial import PastTrial, attack, warnings_of

    if asked.attack in ("autoattack", "square") and not is_installed():
        raise ValueError(MISSING)
    past = PastTrial(source.trained(source.spec.task.base, allowed), own)
    attacks: list[Any] = [asked.attack]
    if asked.attack == "all":
        attacks = ["fgsm", "pgd", "apgdt"]
        if is_installed():
            attacks.append("autoattack")
        else:
            yield MISSING
    # Where the search's threat says 0, which switches AutoAttack off there, its default counts.
    count = asked.examples or threats[0].final_examples or Threat.final_examples
    split: Any = asked.split
    for threat in threats:
        yield f"attacking {source.name} with {threat.ball}: {', '.join(attacks)}"
        found = attack(past, threat, attacks, split, count)
        rows = [
            [each.metric, f"{each.epsilon:.4g}" if each.epsilon else "-", f"{each.accuracy:.4f}",
             interval_text(each.accuracy, each.examples), f"{each.seconds:.1f}"]
            for each in found.metrics
        ]  # fmt: skip
        images = counted(found.metrics[0].examples, f"{split} image")
        columns = ("attack", "epsilon", "accuracy", "95 % interval", "seconds")
        yield results_table(f"{source.name} on {images}", columns, rows)
        document = {
            "threat": dataclasses.asdict(threat), "split": split,
            "metrics": [each.to_json() for each in found.metrics],
        }  # fmt: skip
        name = f"{asked.attack}_{split}_{threat.ball}"  # `verify.py` pairs the files by it
        _store(tracking_uri, source, name, document, found.adversarial_examples)
    warnings = warnings_text(warnings_of(past, threats[0], split, count))
    yield warnings or "no check for gradient masking raised a warning"
    if warnings:
        texts = {f"warnings_{split}_{threats[0].ball}.md": warnings}
        keep_robustness(open_client(tracking_uri), source.trial.run_id, texts, [])


def epsilon_of(text: str, norm: str) -> float:
    """Reads an epsilon as typed: `0.1` or `8/255`.

    Raises:
        ValueError: it is not a positive number, or too large for the pixel scale [0, 1].
    """
    above, slash, below = text.partition("/")
    try:
        value = float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(
            f"epsilon {text!r} is not a positive number; fix: give a size in pixels, such as 0.1 "
            "or 8/255"
        )
    if norm == "linf" and value >= 1:
        meant = f"did you mean {text}/255?" if value < 255 and not slash else "give less than 1"
        raise ValueError(
            f"epsilon {text}: pixels are in [0, 1], so every image is within 1 of every other; "
            f"{meant}"
        )
    return value


def find_attackable(tracking_uri: str, reference: str) -> tuple[WeightSource, Threat]:
    """The trial, and the threat of its search; checks that it can be attacked."""
    source = find_trial(tracking_uri, reference)
    own = source.spec.robustness
    if not isinstance(own, Threat):
        raise ValueError(
            f"the model of {source.name} is {source.spec.task.trains}, and `attack` is for models "
            f"of images; fix: texts are attacked by 'characters' or 'words' in every trial, so set "
            f"`robustness:` in a spec and run it"
        )
    check_checkpoint(source)
    source.check_data()
    return source, own


def _threats(source: WeightSource, own: Threat, asked: AttackRequest) -> list[Threat]:
    threat = dataclasses.replace(own, norm=asked.norm or own.norm)  # type: ignore[arg-type]
    sizes = [epsilon_of(text, threat.norm) for text in asked.epsilons]
    if not sizes and threat.norm != own.norm:
        known = default_epsilon(source.fingerprint["data"]["name"], threat.norm)
        if known is None:
            raise ValueError(f"--norm {asked.norm}: the search used {own.norm}; fix: add --epsilon")
        sizes = [known]
    return [threat.at(size) for size in sizes] or [threat]


def results_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of texts, all but the first column to the right.

    On a screen that is too narrow for it each row is a block, a line for each of its cells.
    """
    table = Table(title=title, title_justify="left", box=None)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    # A measurement is never more than the width that it is asked for.
    asked = out.options.update(max_width=sys.maxsize)
    if Measurement.get(out, asked, table).maximum <= out.width:
        return table
    blocks = Table(title=title, title_justify="left", box=None, show_header=False)
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            blocks.add_row(column, Text(cell))
        blocks.add_row()
    return blocks


def _store(
    tracking_uri: str, source: WeightSource, name: str, document: Any, examples: Any
) -> None:
    from models.adversarial.pixels.stored_examples import save_adversarial_examples

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{EXAMPLES}{name}{ADVERSARIAL_EXAMPLES}"
        save_adversarial_examples(examples, file)
        texts = {f"{DOCUMENT}{name}.json": json.dumps(document, indent=1) + "\n"}
        keep_robustness(open_client(tracking_uri), source.trial.run_id, texts, [file])
