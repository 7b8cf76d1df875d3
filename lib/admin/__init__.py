"""The admin's WebSocket endpoints: /settings and /update with the admin's password, /join without.

`confirm` is loaded at startup and dropped. `register` is loaded on the first request for /settings
or /update, `firstrun` on the first one for /join. `settings`, `update` and `join` are loaded while
a client is connected to their path.
"""
