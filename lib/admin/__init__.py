"""The admin's WebSocket endpoints: /settings and /update with the admin's password, /join without.

`confirm` is loaded at startup and dropped; `confirmtimers` stays. `access` is loaded on the first
request for /settings or /update, `register` when that is admitted; `firstrun` on the first one for
/join. `tlsrequired` is loaded for a request without TLS that `access` refuses.
`settings`, `update` with `names`, and `join` are loaded while a client is connected to their path,
`livelog` and `files` while one uses them. `describe`, `commands`, `settingsfile` and `maintenance`
are loaded for one command of the settings page, and `restart` before a restart. `inplace` is
loaded when one opens /update, and `passwordreset` when BOOT was held. `logring` stays loaded with
log.buffer, and `bootbutton` for the first minute.
"""

log_state = None  # (run, total) of `logring` while it is not loaded, for positions that go on
