"""HTTP/1.1 as far as a WebSocket server needs it: one request per connection.

`request`, `handshake` and `connection` are loaded with `Server` and stay loaded. `responses` is
loaded for the first response other than 101, `static` for the first file, `refusals` for the first
refused request, and `proxies` for the first request from one of `server.proxies`. They stay
loaded. `routes` and `checks` (registration), `cors`, and `unusual` (HTTP/1.0, other hosts, no HTTP
at all, refused handshakes) are loaded while they run. `auth` and `ratelimit` are loaded only by
programs that import them.
"""
