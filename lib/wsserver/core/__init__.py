"""RFC 6455 without I/O: frames, buffers and the state machine of a connection.

Nothing in here touches sockets, clocks or the terminal, so it runs on CPython as well. All of it
is loaded with `Server` and stays loaded, except `surrogates`, which is loaded on first use, and
`errors`, which is loaded while it runs. `native` and `portable` replace each other.
"""
