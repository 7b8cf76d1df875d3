"""The default application: /ws (echo, periodic broadcast), /demo (LED, chat, statistics), widgets.

`application` is loaded at startup and dropped, `echo` is always loaded. `register` is loaded on
the first request for /panel. `widgets` is loaded while a page is connected, and `chat` while a
client is connected to /demo; both use `led`, `room` and `meter`. `commands` and `stats` belong to
/demo.
"""
