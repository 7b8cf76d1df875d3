"""Texts that a page shows only in part."""

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


def cut_off(page):
    """Return the texts that end early, for example with an ellipsis."""
    return page.evaluate(_CUT_OFF)
