"""What all tests of pages share: Playwright, complaints, accessibility and texts that are cut off.

A module that imports this one is skipped where there is no Playwright.
"""

import pytest

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=60_000)  # a loaded machine is no reason to fail

_CUT_OFF = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  const widthIn = (select) => {
    pen.font = getComputedStyle(select).font;
    return pen.measureText(select.selectedOptions[0]?.text ?? "").width + 34; // arrow, paddings
  };
  const isCut = (one) => one.tagName === "SELECT" ? widthIn(one) > one.clientWidth
    : one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "hidden";
  return [...document.querySelectorAll("body *:not(.unseen):not(input)")]
    .filter((one) => one.clientWidth && isCut(one))
    .map((one) => one.selectedOptions?.[0].text ?? one.textContent);
}"""


def listen(page) -> None:
    """Collect its errors and warnings, of scripts and of the console, in page.complaints."""
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning") and page.complaints.append(message.text)
        ),
    )


def assert_accessible(page):
    """Assert that axe finds no violation in the page as it is now."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()


def width_of(page):
    """Return the width that the page needs: more than the screen's if it scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth")


def cut_off(page):
    """Return the texts that end early, for example with an ellipsis."""
    return page.evaluate(_CUT_OFF)
