"""Drives Debian's Chromium without a screen: opens a page, waits for its text, keeps pictures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

# A page of MLflow takes 3 to 6 s on a busy core; the first one loads the whole application.
PATIENCE_SECONDS = 40.0
SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage "
    "--no-first-run --disable-background-networking --disable-component-update --disable-sync "
    "--window-size=1700,1000"
)
# MLflow opens its assistant over a quarter of the page on a first visit, and keeps grouping and
# charts for the next one: each page here is a first visit without the assistant.
FIRST_VISIT = """try {
  localStorage.clear();
  localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
  localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
} catch (error) {}"""


def missing_programs() -> list[str]:
    """Returns the programs that a browser test needs and this machine lacks."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self, profile: Path, pictures: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for switch in (*SWITCHES.split(), f"--user-data-dir={profile}"):
            options.add_argument(switch)
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(service=service, options=options)
        self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": FIRST_VISIT}
        )
        self._pictures = pictures

    def open(self, url: str, *words: str) -> str:
        """Opens `url` anew, waits until the page shows all of `words`; returns its text."""
        for is_last in (False, True):  # once more if the application did not come up
            self.driver.get("about:blank")  # else a change after the # opens no new page
            self.driver.get(url)
            try:
                return self.wait_for(*words)
            except AssertionError:
                if is_last:
                    raise
        raise AssertionError

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def wait_for(self, *words: str) -> str:
        """Returns the page's text once it holds all of `words`."""
        seen = ""

        def are_there() -> bool:
            nonlocal seen
            seen = self.text()
            return all(word in seen for word in words)

        if not _becomes_true(are_there):
            self.picture("not-found")
            missing = [word for word in words if word not in seen]
            raise AssertionError(f"{missing} not on {self.driver.current_url}:\n{seen}")
        return seen

    def click(self, text: str) -> None:
        """Clicks the last visible element whose text is `text`, as soon as there is one."""

        def is_clicked() -> bool:
            elements = self.driver.find_elements(By.XPATH, f"//*[normalize-space(text())='{text}']")
            visible = [element for element in elements if element.is_displayed()]
            if visible:
                visible[-1].click()
            return bool(visible)

        assert _becomes_true(is_clicked), f"no element {text!r} on {self.driver.current_url}"

    def field(self, selector: str) -> WebElement:
        """Returns the first element of a CSS selector, as soon as there is one."""
        found: list[WebElement] = []

        def is_there() -> bool:
            found.extend(self.driver.find_elements(By.CSS_SELECTOR, selector))
            return bool(found)

        assert _becomes_true(is_there), f"no {selector} on {self.driver.current_url}"
        return found[0]

    def picture(self, name: str) -> Path:
        """Saves what the page shows, for a person to look at after a failure."""
        path = self._pictures / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path


def _becomes_true(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if claim():
                return True
        except WebDriverException:  # the page is redrawn meanwhile
            pass
        time.sleep(0.3)
    return False
