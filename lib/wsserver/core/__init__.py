"""RFC 6455 without I/O: frames, buffers and the state machine of a connection.

Nothing in here touches sockets, clocks or the terminal, so it runs on CPython as well. All of it
is loaded by `import wsserver` and stays loaded; `native` and `portable` replace each other.
"""
