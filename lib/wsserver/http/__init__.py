"""HTTP/1.1 as far as a WebSocket server needs it: one request per connection.

`request`, `handshake`, `routes` and `connection` are loaded by `import wsserver` and stay loaded.
`responses` is loaded for the first response other than 101, and `static` for the first file.
`refusals` is loaded for the first refused request, `proxies` for the first request from one of
`server.proxies`. They stay loaded. `unusual` (HTTP/1.0, other hosts, no HTTP at all) and `cors`
are loaded while they run. `auth` and `ratelimit` are loaded only by programs that import them.
"""
