"""Widgets for the board's page: a line of Python for a sensor, a switch or a slider.

`panel` has the class Panel, which stays loaded and stores one tuple for each widget. `widgets`
checks the arguments while widgets are added. `endpoint` sends values while a page is connected to
/panel, and `session` reads those of a program's panel. `start` is loaded with the first
page, `pages` when a page connects or leaves, `requests` and `parse` for messages, `commands` for
those that set a widget, `coroutines` for the first function that is async. `history` is loaded
with the first chart that the board stores. docs/widgets.md describes the widgets, docs/protocol.md
the messages.
"""
