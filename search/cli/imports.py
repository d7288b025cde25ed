"""The commands for who comes from another tool: its sweep as a spec, its runs as history.

None of them runs a trial. Runs of tools that log to MLflow need no import: a search reads them.
"""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import DEFAULT_URI, Uri
from search.history.plurals import counted
from search.session.screen import say

if TYPE_CHECKING:
    from search.tracking.imports.imported import Imported

Spec = Annotated[Path, typer.Option("--spec", help="The spec whose searches are to learn from it.")]
Experiment = Annotated[
    str, typer.Option(help="MLflow experiment to write to; by default NAME-wandb or NAME-optuna.")
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Import although some names of the spec are missing there."),
]
_LABEL = 10  # width of the label that a line begins with
_SHOWN = 20  # notes on cells; a column that is wrong is wrong in every row


def import_sweep(
    sweep: Annotated[Path, typer.Argument(help="The YAML file of a W&B sweep.")],
    program: Annotated[
        str,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="Your training function; by default `train` in the sweep's program.",
        ),
    ] = "",
    output: Annotated[
        Path | None, typer.Option(help="The spec to write; by default NAME_spec.yaml next to it.")
    ] = None,
) -> None:
    """Write the spec of a W&B sweep, and say what has no counterpart in it.

    Every key is listed with what became of it. The spec is checked before it
    is written.
    """
    import yaml

    from search.spec import spec_from_yaml
    from search.spec.sweep_file import read_sweep
    from search.spec.yaml_document import Dumper

    found = read_sweep(sweep, program.removeprefix("python:"))
    target = output or sweep.with_name(f"{sweep.stem}_spec.yaml")
    if target.exists():
        raise ValueError(f"{target} exists; fix: remove it, or name another file with --output")
    text = yaml.dump(
        dict(found.record), Dumper=Dumper, sort_keys=False, default_flow_style=None, width=110,
        allow_unicode=True,
    )  # fmt: skip
    lost = [f"{label}: {what}" for label, what in found.notes if label in ("differs", "left out")]
    # Names of the sweep may hold the end of a line, and must not end the comment.
    heads = [" ".join(f"# {line}".split()) for line in (f"Translated from {sweep.name}.", *lost)]
    text = "\n".join([*heads, text])
    spec = spec_from_yaml(text, str(target))
    target.write_text(text, "utf-8")
    module, _, function = str(spec.task.train).removeprefix("python:").partition(":")
    for label, what in (*found.notes, ("written", target)):
        say(f"{label:{_LABEL}}{what}")
    say(f"{'next':{_LABEL}}{module.replace('.', '/')}.py needs a function {function}"
        "(configuration, trial) that calls trial.report after every epoch; then: twentieth doctor "
        f"{target}")  # fmt: skip


def import_runs(
    runs: Annotated[Path, typer.Argument(help="CSV that W&B exports from its table of runs.")],
    spec: Spec,
    experiment: Experiment = "",
    partial: Partial = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Import the runs of a W&B project or sweep as history.

    Columns are matched with the hyperparameters and objectives of the spec, by
    name and by its `history.rename` and `history.rename_metrics`. Importing a
    file twice, or a later export, adds only what is new.
    """
    from search.spec import load_spec
    from search.tracking.imports.wandb_csv import read_wandb_csv

    checked = load_spec(spec)
    found = read_wandb_csv(runs, checked, is_partial=partial)
    _write(found, runs.name, tracking_uri, experiment or f"{checked.name}-wandb", spec)


def import_study(
    storage: Annotated[str, typer.Argument(help="Storage of the study, as sqlite:///study.db.")],
    spec: Spec,
    study: Annotated[str, typer.Option(help="Its name, if the storage has several.")] = "",
    experiment: Experiment = "",
    partial: Partial = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Import the trials of an Optuna study as history.

    Its parameters are matched with the hyperparameters of the spec, by name and
    by its `history.rename`, its values with the objectives, in their order.
    Importing it twice, or after more trials, adds only what is new.
    """
    from search.spec import load_spec
    from search.tracking.imports.optuna_study import open_study, read_study

    checked = load_spec(spec)
    opened = open_study(storage, study)
    found = read_study(opened, checked, is_partial=partial)
    name = f"{opened.study_name}-optuna"
    _write(found, f"study {opened.study_name}", tracking_uri, experiment or name, spec)


def _write(found: Imported, source: str, tracking_uri: str, experiment: str, spec: Path) -> None:
    """Writes what was found, and prints what was not used and how to go on."""
    from search.tracking.imports.stored import import_id
    from search.tracking.imports.writer import write_imported

    for problem in found.problems[:_SHOWN]:
        say(f"{'note':{_LABEL}}{problem}")
    if len(found.problems) > _SHOWN:
        say(f"{'note':{_LABEL}}and {len(found.problems) - _SHOWN} more")
    if not found.runs:
        raise ValueError(f"{source} has no run that can be imported; fix: see the notes above")
    states = Counter(run.trial.state for run in found.runs)
    listed = ", ".join(f"{count} {state}" for state, count in states.items())
    say(f"{'read':{_LABEL}}{source}: {counted(len(found.runs), 'run')} ({listed})")
    written = write_imported(found, tracking_uri, experiment)
    known = f"; {written.known} were there already" if written.known else ""
    say(f"{'imported':{_LABEL}}{counted(written.new, 'run')} into the experiment "
        f"{written.experiment} of {tracking_uri}{known}")  # fmt: skip
    say(f"{'next':{_LABEL}}twentieth review {spec}\n{'':{_LABEL}}They count by rank, as another "
        "task's. If data, model and epochs were the same as in this spec, write history: "
        f"{{same_task: [{written.experiment}]}} into it, and their values count.")  # fmt: skip
    say(f"{'undo':{_LABEL}}twentieth delete {shlex.quote(import_id(written.experiment))}")
