"""`twentieth explain`: what a trial's model looks at, in right, wrong and attacked examples.

The files are written into the folder of its search, and stored with the trial's run, from which the
report takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from search.spec.own_code import NOTHING, Allowed
from search.tracking.artifacts import EXPLANATIONS, keep_robustness
from search.tracking.store import open_client
from search.transfer.sources import check_checkpoint, find_trial


def explain_model(
    tracking_uri: str, reference: str, results: Path, *, examples: int, baseline: str,
    allowed: Allowed = NOTHING,
) -> Iterator[str]:  # fmt: skip
    """Explains a trial's model; yields what is done, and at the end the files.

    Args:
        tracking_uri: The store.
        reference: The trial.
        results: The folder of reports.
        examples: The most examples of a group.
        baseline: Of images: black or grey.
        allowed: What the user allows to run.

    Raises:
        PermissionError: It has a network of the user's, whose code was not allowed or has changed.
        LookupError: There is no such trial, or its checkpoint is gone.
        ValueError: captum is not installed, or the baseline is unknown.
    """
    source = find_trial(tracking_uri, reference)
    check_checkpoint(source)
    source.check_data()
    from models.explanations.explain import explain_trial  # torch costs seconds
    from models.explanations.integrated_gradients import MISSING, is_installed

    if not is_installed():
        raise ValueError(MISSING)
    trained = source.trained(source.spec.task.base, allowed)
    yield f"explaining {source.name} on the test split"
    folder = results / source.summary.search / "explanations" / f"trial_{source.trial.number:03d}"
    threat = source.spec.robustness
    files = explain_trial(trained, threat, folder, count=examples, baseline=baseline)
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.suffix == ".md"}
    pictures = [file for file in files if file.name.endswith(EXPLANATIONS)]
    keep_robustness(open_client(tracking_uri), source.trial.run_id, texts, pictures)
    yield "\n".join(map(str, files))
