"""The admin's WebSocket endpoints, protected by the admin's password: /settings and /update.

`confirm` is loaded at startup and dropped. `endpoints` is loaded on the first request for one of
the two paths. `settings` and `update` are loaded while a client is connected to their path.
"""
