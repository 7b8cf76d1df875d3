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


@pytest.fixture
def new_page(browser):
    """new_page(**options) -> an empty page in a browser context of its own, closed at the end.

    options: of the context. Its errors are in page.complaints.
    """
    from tests.browser.pages import listen  # skips where there is no Playwright

    contexts = []

    def new(**options):
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(60_000)  # as in pages.py
        page = contexts[-1].new_page()
        listen(page)
        return page

    yield new
    for context in contexts:
        context.close()
