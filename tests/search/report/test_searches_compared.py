"""What history had taught a search, and how well earlier searches predicted it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from search.experience import Agreement, Experience
from search.report.markdown import Stored
from search.report.report import SEARCHES_COMPARED, agreements_with, write_report
from search.report.tables import agreement_table
from search.space import SearchSpace
from search.spec import HistorySettings
from search.spec.load import history_settings
from tests.support.experience_of_a_search import learned
from tests.support.spec_documents import changed
from tests.support.synthetic_history import (
    BOTH,
    CLEAN,
    FINGERPRINT,
    ROBUST,
    START,
    history,
    row,
    rows_of_random_search,
    search,
)

LATER = START + timedelta(hours=1)
THIS = search("this", started=LATER)


def taught(rows: list[dict], *others: str) -> tuple[Agreement, ...]:
    known = history(rows, [*(search(name) for name in others), THIS])
    return agreements_with(known, THIS, learned(known, THIS), None)


def test_earlier_searches_of_the_task_are_compared_with_what_was_seen() -> None:
    rows = rows_of_random_search("cold", 60, 1) + rows_of_random_search("this", 30, 2)
    clean, robust = taught(rows, "cold")
    assert (clean.search, clean.objective, robust.objective) == ("cold", CLEAN, ROBUST)
    assert (clean.trials, clean.source_trials) == (23, 47)  # the complete ones
    assert clean.order.low > 0 and robust.order.low > 0  # one function made them both
    assert clean.similarity == 1.0


def test_what_an_earlier_search_did_not_search_counts_as_in_review(tmp_path: Path) -> None:
    # Where nothing else is said adversarial weights decay as all do: .01 n of them in trial n, so
    # its accuracy tells of the later trials, which differ in nothing but the decay of those.
    decay = FloatDistribution(0.0, 0.2)
    space = SearchSpace({"weight_decay": decay})
    wider = SearchSpace({"weight_decay": decay, "adversarial_weight_decay": decay})
    told = FINGERPRINT | {"settings": {"adversarial_training": "pgd"}}
    this = search("this", space=wider, fingerprint=told, started=LATER, objectives=BOTH[:1])
    rows = [row(n, [n / 20], configuration={"weight_decay": n / 100}) for n in range(20)]
    rows += [
        row(n, [n / 20], search="this",
            configuration={"weight_decay": 0.1, "adversarial_weight_decay": n / 100})
        for n in range(20)
    ]  # fmt: skip
    known = history(rows, [search("cold", space=space, fingerprint=told), this])
    taught = learned(known, this)
    spec_yaml = changed("task/settings", {"adversarial_training": "pgd"})
    write_report(known, "this", tmp_path, Stored(spec_yaml, experience=taught))
    (found,) = Experience.from_json((tmp_path / "experience.json").read_text()).agreements
    assert found.order.tau > 0.8  # whoever knows their place knows the order, ties aside
    assert all(each.order.low < 0.5 for each in agreements_with(known, this, taught, None))


def test_a_report_is_written_for_a_spec_that_this_version_cannot_read(tmp_path: Path) -> None:
    rows = rows_of_random_search("cold", 60, 1) + rows_of_random_search("this", 30, 2)
    known = history(rows, [search("cold"), THIS])
    stored = Stored("name: digits", experience=learned(known, THIS))
    written = write_report(known, "this", tmp_path, stored)
    assert "experience.json" in written.files


def test_a_search_that_was_not_learned_from_is_not_compared() -> None:
    after = search("after", started=LATER + timedelta(hours=1))
    rows = rows_of_random_search("after", 20, 1) + rows_of_random_search("this", 20, 2)
    assert agreements_with(history(rows, [after, THIS]), THIS, Experience(THIS.task), None) == ()


def test_what_was_renamed_counts() -> None:
    rows = rows_of_random_search("this", 10, 2)
    rows += [row(number, [0.5, 0.1 * number], configuration={"share": 0.1 * number, "width": 16})
             for number in range(9)]  # fmt: skip
    plain = history(rows, [search("cold"), THIS])
    renamed = plain.renamed({"share": "adversarial_share"})
    assert any(line.startswith("removed: share") for line in learned(plain, THIS).fitted)
    assert any(line.startswith("renamed: share in cold") for line in learned(renamed, THIS).fitted)


@pytest.mark.slow
def test_only_so_many_are_compared_the_most_similar() -> None:
    names = [f"s{number}" for number in range(SEARCHES_COMPARED + 3)]
    rows = [
        each for index, name in enumerate(names) for each in rows_of_random_search(name, 12, index)
    ]
    found = taught(rows + rows_of_random_search("this", 12, 99), *names)
    assert len({each.search for each in found}) == SEARCHES_COMPARED


def test_without_a_space_nothing_is_compared() -> None:
    this = search("this", space=None)
    assert agreements_with(history([], [this]), this, Experience(this.task), None) == ()


@pytest.mark.parametrize(
    "text", ["", "x: [", "[]", "history: 3", "history: {rename: 5}", "history: {what: 1}"]
)
def test_a_text_without_history_settings_has_the_defaults(text: str) -> None:
    assert history_settings(text) == HistorySettings()


def test_the_table_has_the_similarity_and_the_agreement() -> None:
    rows = rows_of_random_search("cold", 60, 1) + rows_of_random_search("this", 30, 2)
    agreements = taught(rows, "cold")
    first = agreement_table(agreements, (CLEAN, ROBUST)).splitlines()[2]
    share = (1 + agreements[0].order.tau) / 2
    assert first.startswith(f"| cold | 1.00 | {share:.0%} of {agreements[0].order.pairs} (")
    # An objective that a search did not measure leaves its cells empty.
    half = agreement_table(agreements[:1], (CLEAN, ROBUST)).splitlines()[2]
    assert half.endswith("|  |  |") and agreement_table((), (CLEAN,)) == ""
