"""Write and read the artifacts of a trial's run: its tables and the files on its robustness.

Not for metrics and tags.
"""

from __future__ import annotations

import contextlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import tag_names

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Bytes. A table has a line per class; a longer file is not one of ours.
LONGEST_TABLE = 200_000
ADVERSARIAL_EXAMPLES = ".safetensors"
# Pictures and pages of explanations. These and adversarial examples are the files there that are
# not read as text.
EXPLANATIONS = (".png", ".html")
# Their names are links of the report, and the store is not ours alone.
_EXPLANATION = re.compile(rf"{tag_names.ROBUSTNESS}/explanation_[a-z_]+\.(png|html)")
# Bytes. A picture of an explanation has a few columns; a larger file is not one of ours.
LARGEST_EXPLANATION = 5_000_000

_log = logging.getLogger(__name__)


class ArtifactsAway(OSError):
    """The place of artifacts takes nothing, whatever package its client's error is from."""


@contextlib.contextmanager
def artifacts_of(run_id: str) -> Iterator[None]:
    """Turns the errors of an artifact store into `ArtifactsAway`; those of MLflow stay.

    The store of artifacts may be in trouble, or refuse, where that of runs is not: a folder of
    another user, a bucket without permission.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ArtifactsAway(f"the artifacts of run {run_id} cannot be written: {what}") from error


def artifacts_away(client: MlflowClient, run_id: str) -> str:
    """Returns that a search's files are not where the store has them; "" if they are.

    Every search has its spec there. The store names an absolute place, which no longer holds after
    a folder was moved, and may be that of another machine.

    Args:
        client: A client of the store.
        run_id: The summary run of the search.
    """
    from mlflow.exceptions import MlflowException

    try:
        if tag_names.SPEC_FILE in {each.path for each in client.list_artifacts(run_id)}:
            return ""
    except (MlflowException, OSError):
        pass
    place = client.get_run(run_id).info.artifact_uri
    return (
        f"the search's artifacts are not at {place}, where the store has them, so what is in "
        "them is missing: evaluations on the test split, explanations, tables; fix: put the "
        "folder back there, or a link to it"
    )


def read_tables(client: MlflowClient, run_id: str) -> dict[str, str]:
    """Returns file name -> text of a trial's tables; empty if there are none or they are gone."""
    return _texts(client, run_id, tag_names.TABLES)


def read_robustness(client: MlflowClient, run_id: str) -> dict[str, str]:
    """Returns file name -> text on a trial's robustness, without its adversarial examples."""
    return _texts(client, run_id, tag_names.ROBUSTNESS)


def read_text(client: MlflowClient, run_id: str, name: str) -> str:
    """Returns the text of one of a run's artifacts; empty if it cannot be read."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            file = Path(client.download_artifacts(run_id, name, folder))
            return file.read_text(encoding="utf-8")
        except (MlflowException, OSError, ValueError):
            return ""


def keep_robustness(
    client: MlflowClient, run_id: str, texts: Mapping[str, str], files: Sequence[Path]
) -> None:
    """Logs texts and files (adversarial examples) with a run; files of the same name are replaced.

    A missing file is left out with a warning, since a writer must not wait for it for ever.
    """
    for name, text in texts.items():
        client.log_text(run_id, text, f"{tag_names.ROBUSTNESS}/{name}")
    for file in files:
        if file.is_file():
            client.log_artifact(run_id, str(file), tag_names.ROBUSTNESS)
        else:
            _log.warning("%s is gone, so it was not logged with run %s", file, run_id)


def fetch_adversarial_examples(client: MlflowClient, run_id: str, folder: Path) -> list[Path]:
    """Downloads a run's adversarial examples into a folder; returns the files, sorted by name.

    One that the store cannot send is left out with a warning.

    Raises:
        LookupError: the store cannot list them.
    """
    from mlflow.exceptions import MlflowException

    try:
        listed = [each.path for each in client.list_artifacts(run_id, tag_names.ROBUSTNESS)]
    except (MlflowException, OSError) as error:
        raise LookupError(
            f"the adversarial examples of run {run_id} cannot be read: {error}"
        ) from error
    files = []
    for path in sorted(listed):
        if path.endswith(ADVERSARIAL_EXAMPLES):
            try:
                files.append(Path(client.download_artifacts(run_id, path, str(folder))))
            except (MlflowException, OSError) as error:
                _log.warning("%s of run %s cannot be fetched: %s", path, run_id, error)
    return files


@contextlib.contextmanager
def fetched_explanations(
    client: MlflowClient, run_ids: Sequence[str]
) -> Iterator[dict[str, list[Path]]]:
    """Yields run id -> pictures and pages that explain predictions; afterwards they are gone.

    A run has none where nothing was explained, or where they cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield {
            run_id: _fetch_explanations(client, run_id, Path(folder, str(place)))
            for place, run_id in enumerate(run_ids)
        }


def _fetch_explanations(client: MlflowClient, run_id: str, folder: Path) -> list[Path]:
    from mlflow.exceptions import MlflowException

    files: list[Path] = []
    folder.mkdir()
    try:
        for each in client.list_artifacts(run_id, tag_names.ROBUSTNESS):
            is_one = _EXPLANATION.fullmatch(each.path) is not None
            if is_one and (each.file_size or 0) <= LARGEST_EXPLANATION:
                files.append(Path(client.download_artifacts(run_id, each.path, str(folder))))
    except (MlflowException, OSError):
        return []
    return sorted(file for file in files if file.is_file())


def _texts(client: MlflowClient, run_id: str, place: str) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    texts: dict[str, str] = {}
    try:
        listed = [each.path for each in client.list_artifacts(run_id, place)]
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted(listed):
                if path.endswith((ADVERSARIAL_EXAMPLES, *EXPLANATIONS)):
                    continue
                file = Path(client.download_artifacts(run_id, path, folder))
                if file.is_file() and file.stat().st_size <= LONGEST_TABLE:
                    texts[file.name] = file.read_text(encoding="utf-8", errors="replace")
    except (MlflowException, OSError):
        return {}
    return texts
