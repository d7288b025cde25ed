"""The MLflow page as a person sees it: what `twentieth ui` serves, opened in a browser.

Text on the page is checked, not pixels. Pictures are left in pytest's temporary folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from search.tracking.store import open_client
from search.tracking.write.mlflow_views import VIEWS, links

pytest.importorskip("selenium", reason="the browser tests need selenium (pip install '.[dev]')")

from tests.browser.browser import Browser, missing_programs
from tests.browser.two_searches import (
    FAILED,
    ROBUST,
    SEARCHES,
    STOPPED,
    TwoSearches,
    configuration,
    objective_values,
    run_name,
    stopped_values,
    totals,
    uri,
    verdict,
    write_two_searches,
)
from tests.support.servers import free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"not installed: {', '.join(missing_programs())} "
        "(Debian: apt-get install chromium chromium-driver)",
    ),
]
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="session")
def port(folder: Path) -> Iterator[int]:
    """Yields the port at which the real command serves, or soon will; it creates the store."""
    number = free_port()
    command = [sys.executable, "-m", "search", "ui", "--port", str(number),
               "--tracking-uri", uri(folder)]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    yield number
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    server.wait(30)


@pytest.fixture(scope="session")
def store(port: int, folder: Path) -> TwoSearches:
    """Returns two searches, written while the server starts, and served."""
    written = write_two_searches(folder)
    _wait_until_it_answers(port, folder / "server.log")
    return written


@pytest.fixture(scope="session")
def browser(folder: Path) -> Iterator[Browser]:
    opened = Browser(folder / "profile", folder)
    yield opened
    opened.driver.quit()


@pytest.fixture
def runs_page(port: int, store: TwoSearches) -> str:
    return (
        f"http://127.0.0.1:{port}/#/experiments/{store.experiment}/runs"
        "?workflowType=machine_learning"
    )


def test_the_page_is_served_on_loopback_only(port: int, store: TwoSearches) -> None:
    addresses = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and not entry.address.startswith("127.")
    ]
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    for address in addresses:
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=5)
    listening = {
        entry.laddr.ip
        for entry in psutil.net_connections("tcp")
        if entry.status == psutil.CONN_LISTEN and entry.laddr.port == port
    }
    assert listening == {"127.0.0.1"}


def test_the_runs_table_lists_every_trial_under_its_own_name(
    browser: Browser, runs_page: str
) -> None:
    names = [run_name(search, number) for search in SEARCHES for number in range(4)]
    text = browser.open(runs_page, *names, "10 matching runs")
    browser.picture("runs")
    assert [text.count(name) for name in names] == [1] * 8


def test_grouped_by_the_search_tag_each_search_is_a_group(browser: Browser, runs_page: str) -> None:
    browser.open(runs_page, SEARCHES[0])
    browser.click("Group by")
    browser.field("input[placeholder='Search']").send_keys("twentieth.search")
    browser.click("twentieth.search")
    text = browser.wait_for(*(f"Group: {search}" for search in SEARCHES))
    browser.picture("grouped")
    # The newer search comes first, and its trials under it.
    assert text.index(f"Group: {SEARCHES[1]}") < text.index(f"000 {SEARCHES[1]}")
    assert text.index(f"000 {SEARCHES[1]}") < text.index(f"Group: {SEARCHES[0]}")


@pytest.fixture
def views(port: int, store: TwoSearches, folder: Path) -> dict[str, str]:
    """Returns the links that `twentieth ui` prints, by title."""
    (found,) = links(open_client(uri(folder)), f"http://127.0.0.1:{port}").values()
    return found


def test_a_stopped_trial_is_sorted_among_the_complete_ones_and_says_so(
    browser: Browser, views: dict[str, str]
) -> None:
    link = views["Trials by search"]
    text = browser.open(link, *(f"Group: {search}" for search in SEARCHES), "Trials by search")
    browser.picture("view")
    assert "Sort: objective/accuracy.robust" in text and "twentieth.state" in text
    values = [objective_values(1, 1)[1], stopped_values(1)[1], objective_values(1, 0)[1]]
    places = [text.index(f"{value:.3f}") for value in values]
    assert places == sorted(places), "best first, the stopped one between the complete ones"
    names = [text.index(run_name(SEARCHES[1], number)) for number in (1, STOPPED, 0, FAILED)]
    assert names == sorted(names), "a trial without a value comes last"


def test_the_chart_page_draws_the_objectives_of_every_trial_over_epochs_before_all_else(
    browser: Browser, runs_page: str
) -> None:
    stopped = run_name(SEARCHES[0], STOPPED)
    text = browser.open(
        f"{runs_page}&compareRunsMode=CHART", "objective\n(2)", "search\n(2)",
        f"{stopped} (objective/accuracy.clean)", f"{stopped} (objective/accuracy.robust)",
    )  # fmt: skip
    browser.picture("charts")
    assert text.index("objective\n(2)") < text.index("search\n(2)")


@pytest.mark.parametrize(
    ("title", "charts"),
    [
        ("Objectives over epochs", ["objective/accuracy.clean", "objective/accuracy.robust"]),
        ("Pareto front", ["objective/accuracy.clean vs. objective/accuracy.robust"]),
    ],
)
def test_a_link_opens_few_charts_and_leaves_the_others_closed(
    browser: Browser, views: dict[str, str], title: str, charts: list[str]
) -> None:
    text = browser.open(views[title], title, *charts, run_name(SEARCHES[1], STOPPED))
    browser.picture(title.split()[0])
    assert "Model metrics" in text
    assert "log10.sgd.learning_rate" not in text, "a chart of a closed section"


def test_the_experiments_description_leads_to_its_views(
    browser: Browser, port: int, store: TwoSearches, views: dict[str, str]
) -> None:
    page = f"http://127.0.0.1:{port}/#/experiments/{store.experiment}"
    browser.open(page, *views)  # MLflow's overview of traces, where it lands
    browser.picture("overview")
    for key, (title, _) in VIEWS.items():
        link = browser.field(f"a[href*='viewStateShareKey=twentieth-{key}']")
        assert link.get_attribute("href") == views[title]


def test_searches_are_compared_by_their_totals(
    browser: Browser, port: int, store: TwoSearches, views: dict[str, str]
) -> None:
    browser.open(views["Searches and verdicts"], *(f"search {search}" for search in SEARCHES))
    browser.picture("searches")
    runs = quote(json.dumps([store.summaries[search] for search in SEARCHES]))
    experiments = quote(json.dumps([store.experiment]))
    page = f"http://127.0.0.1:{port}/#/compare-runs?runs={runs}&experiments={experiments}"
    text = browser.open(page, "Comparing 2 Runs from 1 Experiment", "search/hypervolume")
    browser.picture("compare-searches")
    for index in range(len(SEARCHES)):
        for name, value in totals(index).items():
            assert f"search/{name}" in text and f"{value:.3f}".rstrip("0") in text


def test_the_compare_page_shows_hyperparameters_and_both_objectives_of_four_trials(
    browser: Browser, port: int, store: TwoSearches
) -> None:
    chosen = [(search, number) for search in SEARCHES for number in (0, 1)]
    runs = quote(json.dumps([store.trials[trial] for trial in chosen]))
    experiments = quote(json.dumps([store.experiment]))
    text = browser.open(
        f"http://127.0.0.1:{port}/#/compare-runs?runs={runs}&experiments={experiments}",
        "Comparing 4 Runs from 1 Experiment", "Parallel Coordinates Plot", ROBUST,
    )  # fmt: skip
    browser.picture("compare")
    for search, number in chosen:
        index = SEARCHES.index(search)
        assert run_name(search, number) in text
        for name, value in configuration(index, number).items():
            assert name in text
            assert str(value) in text
        for value in objective_values(index, number):
            assert f"{value:.3f}" in text  # the page rounds to three digits


def test_a_stopped_trial_differs_from_a_failed_one(
    browser: Browser, port: int, store: TwoSearches
) -> None:
    for number, state, reason in (
        (STOPPED, "stopped", "stopped by the"),
        (FAILED, "failed", "ValueError: the"),  # the page cuts a tag's value
    ):
        page = _run_page(port, store, store.trials[SEARCHES[0], number])
        text = browser.open(page, run_name(SEARCHES[0], number), "Tags", reason)
        browser.picture(state)
        assert re.search(rf"twentieth\.state\s*:\s*{state}", text)


def test_the_search_run_shows_its_verdict(browser: Browser, port: int, store: TwoSearches) -> None:
    page = _run_page(port, store, store.summaries[SEARCHES[0]])
    browser.open(page, f"search {SEARCHES[0]}", verdict(SEARCHES[0]))
    browser.picture("summary")


def test_the_interactive_report_says_inside_the_page_where_it_can_be_opened(
    browser: Browser, port: int, store: TwoSearches
) -> None:
    page = _run_page(port, store, store.summaries[SEARCHES[0]])
    browser.open(f"{page}/artifacts/report/interactive.html", "report/interactive.html")
    browser.driver.switch_to.frame(browser.field("iframe"))
    try:
        browser.wait_for(f"twentieth report {SEARCHES[0]}")
    finally:
        browser.driver.switch_to.default_content()
    browser.picture("report")


def _run_page(port: int, store: TwoSearches, run: str) -> str:
    return f"http://127.0.0.1:{port}/#/experiments/{store.experiment}/runs/{run}"


def _wait_until_it_answers(port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"the page did not come up:\n{log.read_text()}")
