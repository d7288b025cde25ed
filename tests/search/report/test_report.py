"""The report is complete for any search, deterministic, and runs no code in users' texts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.experience import Experience
from search.history import History
from search.objectives.objective import from_lists
from search.report.markdown import Stored
from search.report.report import Report, write_report
from search.report.reproduction import reproduction
from search.space import SearchSpace
from search.spec.load import history_settings, is_of_a_function
from search.spec.sections import HistorySettings
from search.transfer.costs import cost_of
from tests.support.experience_of_a_search import learned
from tests.support.synthetic_history import (
    CLEAN,
    FINGERPRINT,
    ROBUST,
    START,
    history,
    points,
    row,
    rows_of_random_search,
    search,
)

LATER = START + timedelta(hours=1)
WARM = history(
    rows_of_random_search("cold", 20, 1) + rows_of_random_search("this", 20, 2),
    [search(), search("this", warm=True, started=LATER)],
)
ALL = {
    "report.md", "spec.yaml", "environment.json", "verdict.json", "trials.parquet", "pareto.png",
    "history.png", "importance.png", "curves.png", "interactive.html",
    "experience.json",
}  # fmt: skip
SPEC = """
name: digits
resources: {cpus: 2}
history: {searches: [cold], digest: "sha256:0123456789abcdef"}
"""
EVIL = "<script>alert(1)</script>"
CLOSING = "</script><script>alert(2)</script><img src=x onerror=alert(3)>|`[a](javascript:alert(4))"


def written(known: History, folder: Path, name: str = "this") -> Report:
    this = known.searches[name]
    stored = Stored(SPEC, {"python": "3.11", "code": "abc"}, "complete",
                    experience=learned(known, this) if this.space else None)  # fmt: skip
    return write_report(known, name, folder, stored)


def report_of(known: History, folder: Path) -> str:
    return (written(known, folder).folder / "report.md").read_text()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return written(WARM, tmp_path_factory.mktemp("report") / "new" / "folder")


def test_everything_is_written_and_named(report: Report) -> None:
    assert set(report.files) == ALL == {path.name for path in report.folder.iterdir()}
    text = (report.folder / "report.md").read_text()
    for heading in ("The search in numbers", "What was searched", "Pareto front",
                    "Did history help?",
                    "Trials", "Where the proposals came from", "What history taught",
                    "How well the earlier searches predicted this one", "How to reproduce",
                    "Best configurations"):  # fmt: skip
        assert f"\n## {heading}\n" in text
    assert report.verdict.sentence in text
    assert "1 earlier search with 15 complete trials; 1 of this same task." in text
    assert "| portfolio | 3 | 3 |" in text
    record = json.loads((report.folder / "verdict.json").read_text())
    assert record["sentence"] == report.verdict.sentence
    assert pq.read_table(report.folder / "trials.parquet").num_rows == 20
    experience = Experience.from_json((report.folder / "experience.json").read_text())
    assert {each.search for each in experience.agreements} == {"cold"}
    assert (report.folder / "spec.yaml").read_text() == SPEC


@pytest.mark.slow
def test_the_same_history_gives_the_same_report(report: Report, tmp_path: Path) -> None:
    again = written(WARM, tmp_path)
    for name in ALL:
        assert (again.folder / name).read_bytes() == (report.folder / name).read_bytes(), name


@pytest.mark.slow
def test_the_pages_of_all_searches_load_plotly_from_one_file(tmp_path: Path) -> None:
    for name in ("cold", "this"):
        written(WARM, tmp_path / name, name)
        page = (tmp_path / name / "interactive.html").read_text()
        assert len(page) < 200_000 and "The plots need plotly-" in page
        (source,) = re.findall(r'<script src="\.\./(plotly-[0-9.]+\.min\.js)"', page)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [source]
    assert "Plotly" in (tmp_path / source).read_text()


def test_the_report_says_how_many_examples_are_behind_each_number(tmp_path: Path) -> None:
    more = {"test.accuracy.clean": 0.8, f"test.{ROBUST}": 0.4, "test.examples": 500.0,
            "test.attacked_examples": 100.0}  # fmt: skip
    curves = [each for name, value in more.items() for each in points(name, {5: value})]
    fingerprint = FINGERPRINT | {"robustness": {"norm": "linf", "examples": 120}}
    rows = [row(0, [0.9, 0.5], search="this", curves=curves), row(1, [0.8, 0.6], search="this")]
    text = report_of(history(rows, [search("this", fingerprint=fingerprint)]), tmp_path)
    assert (
        f"| trial | {CLEAN}, of 150 | test, 95 %, of 500 | {ROBUST}, of 120 | test, 95 %, of 100 |"
    ) in text
    assert "| 0 | 0.9000 | 0.8000 (0.763 to 0.833) | 0.5000 | 0.4000 (0.309 to 0.498) |" in text


def test_the_search_in_numbers_is_that_of_the_totals(tmp_path: Path) -> None:
    rows = [row(0, [0.5, 0.5]), row(0, [0.7, 0.4], search="this", seconds=75.0)]
    text = report_of(history(rows, [search(), search("this", started=LATER)]), tmp_path)
    # From (-0.1, -0.1): 0.8 * 0.5 of 0.8 * 0.5 + 0.6 * 0.1.
    assert "| hypervolume | 0.870 of the best known of the task |" in text
    assert "reference point (-0.1000, -0.1000): 0.4000, where all searches of the task" in text
    assert "| time of the trials, added up | 1 min 15 s |" in text
    assert "| cost of the trials | 0.0417 core-hours |" in text  # two CPUs


def test_the_report_says_what_a_repetition_has_in_common_and_what_not(report: Report) -> None:
    text = (report.folder / "report.md").read_text()
    assert "twentieth run this/spec.yaml" in text and "git checkout abc" in text
    assert "the digest of their trials, `sha256:0123456789abcdef`" in text
    assert "- learned from: 1 earlier search (warm): cold" in text
    assert "The order in which trials at the same time end" in text


@pytest.mark.parametrize(
    "stored",
    ["a: b: c", "[" * 3000, "- name", "2024-99-99", "", "just text", "&a [*a]"],
)
def test_a_stored_spec_that_is_no_yaml_mapping_is_said_and_nothing_is_told_of_it(
    stored: str,
) -> None:
    text = reproduction(search("this"), stored, {"python": "3.11"})
    assert text.startswith("The spec that the store has of this search is no YAML mapping")
    assert "twentieth run" not in text and "| python | 3.11 |" in text
    assert history_settings(stored) == HistorySettings()
    assert cost_of(stored) is None and not is_of_a_function(stored)


def test_a_report_is_written_of_a_search_whose_stored_spec_is_broken(tmp_path: Path) -> None:
    known = history([row(0, [0.5, 0.5], search="this")], [search("this")])
    taught = learned(known, known.searches["this"])
    write_report(known, "this", tmp_path, Stored("a: b: c", experience=taught))
    text = (tmp_path / "report.md").read_text()
    assert "## How to reproduce\n\nThe spec that the store has of this search is no YAML" in text
    assert (tmp_path / "spec.yaml").read_text() == "a: b: c"


@pytest.mark.parametrize("task", ["text", "[1]", "{network: [1]}", "&a {train: *a}", "null"])
def test_a_stored_task_of_any_shape_fails_no_report(task: str) -> None:
    stored = f"task: {task}\nhistory: &h {{searches: *h}}\nresources: &r {{cpus: *r}}\n"
    assert "twentieth run this/spec.yaml" in reproduction(search("this"), stored, {})
    assert history_settings(stored) == HistorySettings() and cost_of(stored) is None


@pytest.mark.slow
def test_the_guard_and_the_cost_of_a_trial_are_in_the_report(tmp_path: Path) -> None:
    guard = {"history": "all", "log_evidence": 1.5, "trials": 4, "dropped": {EVIL: EVIL}}
    origin = {"step": "history-model", "source_tasks": {EVIL: -1.0}, "guard": guard}
    rows = rows_of_random_search("cold", 12, 1) + rows_of_random_search("this", 12, 2,
                                                                         origin=origin)  # fmt: skip
    known = history(rows, [search(), search("this", warm=True, started=LATER)])
    write_report(known, "this", tmp_path, Stored("resources: {gpus: 2}"))
    text = (tmp_path / "report.md").read_text()
    assert "## What the guard did" in text and "| +1.5 | all of it | 1 |" in text
    assert "GPU-hours saved" in text and "<script" not in text
    assert json.loads((tmp_path / "verdict.json").read_text())["hours_unit"] == "GPU-hours"


def test_the_configurations_can_be_pasted(report: Report) -> None:
    text = (report.folder / "report.md").read_text()
    first = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert {"optimizer", "width", "adversarial_share"} <= set(first)


@pytest.mark.parametrize("state", [None, "failed", "stopped", "interrupted"])
def test_a_search_without_a_complete_trial_is_reported(state: str | None, tmp_path: Path) -> None:
    for name in ("pareto.png", "interactive.html"):
        (tmp_path / name).write_text("of an earlier report")
    rows = [row(0, [], search="this", state=state, epoch=0)] if state else []
    report = written(history(rows, [search("this")]), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(report.files)
    assert "pareto.png" not in report.files
    text = (tmp_path / "report.md").read_text()
    assert "No trial of this search is complete" in text and "No trial is complete." in text
    if state == "failed":
        assert "Failed trials and their runs: 0 (this-0)." in text


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3])
def test_one_and_three_objectives_are_reported(number: int, tmp_path: Path) -> None:
    names, directions = ("a", "b", "c")[:number], ("minimize", "maximize", "minimize")[:number]
    space = SearchSpace.from_distributions({"x": FloatDistribution(0, 1)})
    rows = [
        row(n, [0.1 * n, 1.0 - 0.1 * n, 0.5][:number], search="this", objectives=[*names],
            directions=[*directions], configuration={"x": 0.1 * n})
        for n in range(9)
    ]  # fmt: skip
    this = search("this", objectives=from_lists(names, directions), space=space)
    report = written(history(rows, [this]), tmp_path)
    assert {"pareto.png", "history.png", "importance.png", "interactive.html"} <= set(report.files)


@pytest.mark.slow
def test_a_search_whose_space_is_not_known_is_reported(tmp_path: Path) -> None:
    report = written(history([row(0, [0.9, 0.5], search="this")], [search("this", space=None)]),
                     tmp_path)  # fmt: skip
    assert "importance.png" not in report.files
    assert "This was not stored with the search." in (tmp_path / "report.md").read_text()


@pytest.mark.slow
def test_what_was_learned_at_the_start_is_reported_and_nothing_since(tmp_path: Path) -> None:
    later = search("later", started=LATER + timedelta(hours=1))
    rows = rows_of_random_search("later", 10, 1) + rows_of_random_search("this", 10, 2)
    known = history(rows, [later, search("this", started=LATER)])
    stored = Stored("name: digits\n", experience=Experience("digits"))
    write_report(known, "this", tmp_path, stored)
    assert "this search starts cold" in (tmp_path / "report.md").read_text()


class Scripts(HTMLParser):
    """Collects what a browser would run, and every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: set[str] = set()
        self.is_inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.is_inside = tag == "script"
        if self.is_inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = False

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            self.scripts[-1] += data


@pytest.mark.slow
def test_names_and_choices_of_users_cannot_run_a_script(tmp_path: Path) -> None:
    space = SearchSpace.from_distributions(
        {EVIL: FloatDistribution(0, 1), CLOSING: CategoricalDistribution(("a", CLOSING, EVIL))}
    )
    choices = ("a", CLOSING, EVIL)
    goals = (f"metric {EVIL}", CLOSING)
    rows = [
        row(n, [0.1 * n, 1 - 0.1 * n], search=EVIL, objectives=[*goals], run_id=f"{n}{CLOSING}",
            configuration={EVIL: 0.1 * n, CLOSING: choices[n % 3]}, origin={"step": EVIL})
        for n in range(10)
    ]  # fmt: skip
    known = history(
        rows,
        [search(EVIL, space=space, objectives=from_lists(goals, ["maximize"] * 2), task=CLOSING)],
    )
    report = written(known, tmp_path, EVIL)
    page = (report.folder / "interactive.html").read_text()
    found = Scripts(page)
    assert "img" not in found.tags
    # Whether plotly is there, its settings, and one script for each plot: none begins with a user's
    # text.
    assert not any(script.strip().startswith("alert") for script in found.scripts)
    assert not any(f"alert({n})</" in page for n in range(1, 5))
    figures = page.count("<h2>")
    assert sum("Plotly.newPlot(" in script for script in found.scripts) >= figures >= 4
    text = (report.folder / "report.md").read_text()
    outside = "".join(text.split("```")[::2])
    assert "<script" not in outside and "](javascript" not in outside and "<img" not in outside


def test_the_forecast_of_the_cost_stands_before_what_was_searched(tmp_path: Path) -> None:
    stored = Stored(SPEC, cost_forecast=["Forecast was 3.1.", f"cost to {EVIL}"])
    write_report(WARM, "this", tmp_path, stored)
    text = (tmp_path / "report.md").read_text()
    section = text.split("## What it was expected to cost\n\n")[1].split("\n\n## What was")[0]
    assert section.startswith("- Forecast was 3.1.\n- cost to ") and EVIL not in section
    assert "expected to cost" not in report_of(WARM, tmp_path)


def test_what_the_store_refused_is_listed_with_where_it_is_kept(tmp_path: Path) -> None:
    stored = Stored(SPEC, refused=[f"trial 7: its run was deleted {EVIL}"])
    write_report(WARM, "this", tmp_path, stored)
    text = (tmp_path / "report.md").read_text()
    assert "- trial 7: its run was deleted" in text and "`journal.refused.jsonl`" in text
    assert EVIL not in text
    written(WARM, tmp_path)
    assert "refused" not in (tmp_path / "report.md").read_text()


def test_the_report_says_why_a_search_ended_and_warns_of_a_record_that_is_gone(
    tmp_path: Path,
) -> None:
    known = {"trial": "cold#3", "expected": {CLEAN: 0.9}, "accepted": {CLEAN: [0.8, 1.0]}}
    origin = {"step": "confirm", "revalidates": known}
    rows = [*rows_of_random_search("cold", 20, 1)]
    stored = Stored(SPEC, ended_because="ended after 1 of at most 20 trials: too little")
    for value, is_gone in ((0.85, False), (0.5, True)):
        again = row(0, [value, 0.5], search="this", started=LATER, origin=origin)
        trials = history([*rows, again], [search(), search("this", warm=True, started=LATER)])
        made = write_report(trials, "this", tmp_path, stored)
        text = (made.folder / "report.md").read_text()
        assert "**The search ended after 1 of at most 20 trials: too little.**" in text
        assert ("**warning: the best known trial, cold#3, does not reach its record" in text
                ) == is_gone  # fmt: skip
        assert ("The best known trial, cold#3, was trained again" in text) != is_gone
