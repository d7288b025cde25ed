"""Writes the report of a search from the store alone, and publishes it there.

What stands in it is `transfer/report.py`'s; this reads what it needs and adds what the best trials
left with their runs: the judgement of their robustness, and their tables.
"""

from __future__ import annotations

from pathlib import Path

from search.experience import Experience
from search.tracking import names
from search.tracking.artifacts import read_robustness, read_tables, read_text
from search.tracking.reading import read_history
from search.tracking.store import open_client
from search.tracking.summary import find_summary, publish_files
from search.transfer import best_trials, history_settings, write_report
from search.transfer.progress import trials_of
from search.transfer.robustness_figures import confirmed_trials, judged_trials
from search.transfer.robustness_picture import draw_robustness
from search.transfer.robustness_section import PICTURE, robustness_section
from search.transfer.trial_tables import TRIALS_SHOWN, tables_section


def report(search: str, tracking_uri: str, folder: Path) -> tuple[Path, str]:
    """Writes a search's report from the store alone, and publishes it there.

    Returns:
        The report's folder and the verdict in a sentence.
    """
    client = open_client(tracking_uri)
    summary = find_summary(client, search)
    settings = history_settings(summary.spec_yaml)
    history = read_history(
        tracking_uri, same_task=settings.same_task, task=summary.task
    ).renamed(settings.rename, settings.rename_metrics)  # fmt: skip
    place = folder / summary.search
    best = best_trials(history, summary.search)
    tables = {each.run_id: read_tables(client, each.run_id) for each in best[:TRIALS_SHOWN]}
    texts = {each.run_id: read_robustness(client, each.run_id) for each in best}
    judged = judged_trials(best, texts)
    confirmed = confirmed_trials(trials_of(history, summary.search), best)
    place.mkdir(parents=True, exist_ok=True)
    is_drawn = draw_robustness(judged, confirmed, summary.search, place / PICTURE)
    if not is_drawn:
        (place / PICTURE).unlink(missing_ok=True)  # of an earlier report
    written = write_report(
        history, summary.search, place,
        spec_yaml=summary.spec_yaml, environment=summary.environment,
        summary={
            "state": summary.state, "trials": str(summary.trials_budget),
            "warm started from": ", ".join(summary.warm_started_from) or "nothing",
        },
        experience=_experience(read_text(client, summary.run_id, names.EXPERIENCE)),
        appendix=robustness_section(judged, confirmed, has_picture=is_drawn)
        + tables_section(best, tables),
    )  # fmt: skip
    publish_files(client, summary.run_id, place, written.verdict.sentence)
    return place, written.verdict.sentence


def _experience(text: str) -> Experience | None:
    """What history had taught when the search started; None for a text that does not say."""
    try:
        return Experience.from_json(text)
    except ValueError:
        return None
