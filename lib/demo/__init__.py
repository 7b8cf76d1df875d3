"""The default application: /ws (echo, periodic broadcast), /demo (LED, chat, statistics), widgets.

`application` is loaded at startup and dropped, `echo` is always loaded. `status` and `meter` are
loaded while a page is connected to /panel; `start`, `widgets`, `sensors` and `lamp` when one
connects; `led` and `chat` for its commands. In a fleet, `fleetpanel` adds the widgets to the
program's panel. `endpoint`, `commands` and `stats` belong to /demo, and use the others.
"""
