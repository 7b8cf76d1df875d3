"""The default application: /ws (echo, periodic broadcast), /demo (LED, chat, statistics), pages.

`application` is loaded at startup and dropped, `echo` is always loaded. `chat` and the modules
that it imports are loaded while a client is connected to /demo.
"""
