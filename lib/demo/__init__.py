"""The default application: /ws (echo, periodic broadcast), /demo (LED, chat, statistics), widgets.

`application` is loaded at startup and dropped, `echo` is always loaded. `page` and `widgets` are
loaded while a page is connected to /panel, and `chat` while a client is connected to /demo; both
use `led`, `room` and `meter`. `commands` and `stats` belong to /demo.
"""
