"""Widgets for the board's page: a line of Python for a sensor, a switch or a slider.

`panel` has the class Panel, which stays loaded and stores one tuple for each widget. `widgets`
checks the arguments while widgets are added. `session` reads and sends values while a page is
connected to /panel; `descriptions` is loaded when one connects, `commands` and `parse` for
commands. `history` is loaded with the first chart that the board stores. docs/widgets.md describes
the widgets, docs/protocol.md the messages.
"""

from wsserver import lazy


def __getattr__(name):
    # Users of `parse` do not need the class.
    if name != "Panel":
        raise AttributeError(name)
    return lazy.load("panel.panel").Panel
