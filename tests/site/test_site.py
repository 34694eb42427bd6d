"""The built site: no link is dead, and every page fits its window. `tox -e docs` sets SITE to its folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

_SITE = Path(os.environ.get("SITE", "no site"))
_PAGES = sorted(_SITE.rglob("*.html"))
_WIDTHS = (1280, 400)
_THEMES = ("light", "dark")

pytestmark = pytest.mark.skipif("SITE" not in os.environ, reason="run by tox -e docs, which builds the site")


class _Page(HTMLParser):
    """The anchors and the links of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name == "src" or (name == "href" and tag in {"a", "link"}):
                self.links.append(value or "")


def test_no_link_into_the_site_is_dead() -> None:
    pages = {page.resolve(): _Page(page) for page in _PAGES}
    assert len(pages) > 20

    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            # An empty anchor is the top of a page.
            is_dead = not target.is_file() or (parts.fragment and parts.fragment not in pages[target].anchors)
            if not parts.scheme and link != "#" and is_dead:
                dead.append(f"{path.name}: {link}")
    assert dead == []


@pytest.fixture(name="browser")
def _browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def test_every_page_fits_its_window_and_logs_nothing(browser: Any) -> None:
    faults = []
    for width in _WIDTHS:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for page in _PAGES:
            browser.get(page.resolve().as_uri())
            for theme in _THEMES:
                browser.execute_script("document.body.dataset.theme = arguments[0]", theme)
                overflow = browser.execute_script(
                    "const root = document.documentElement; return root.scrollWidth - root.clientWidth"
                )
                if overflow > 0:
                    faults.append(f"{page.name} at {width}, {theme}: {overflow} pixels too wide")
            faults += [f"{page.name}: {entry['message']}" for entry in browser.get_log("browser")]
    assert faults == []
