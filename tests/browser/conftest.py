"""The browser of these tests: this computer's Chromium, or a reason to skip them."""

import pytest

from tools.docs import browser as chromium

LOCAL = "--host-resolver-rules=MAP *.local 127.0.0.1"  # as mDNS would lead to a board


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium for one file of tests."""
    if not chromium.find():
        pytest.skip(f"there is no browser: none of {', '.join(chromium.NAMES)} is on the PATH")
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as playwright:
        found = chromium.launch(playwright, tmp_path_factory.mktemp("home"), LOCAL)
        yield found
        found.close()
