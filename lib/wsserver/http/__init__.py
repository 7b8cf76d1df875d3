"""HTTP/1.1 as far as a WebSocket server and its routes need it.

`request`, which has the opening handshake, and `connection` are loaded with `Server` and stay
loaded. `responses` is loaded for the first response other than 101, `static` for the first file,
`refusallog` for the first refusal, and `proxies` for the first request from one of
`server.proxies`. `routing` comes with the first route, `events` with the first path for events,
`patterns` with the first path that has parameters. The first request to a route loads `exchange`
and `response`; `bodies`, `uploads`, `fields` and `multipart` follow with the first request that
needs them, `prehandshake` with the first on_request, and `decision` if that is async or returns a
Response. All of these stay loaded. `routes`, `registration`, `arguments`, `cors`, `ranges`,
`percent`, `nearpaths` and `unusual` (HTTP/1.0, other hosts, no HTTP at all, refused handshakes)
are loaded while they run. `auth` and `ratelimit` are loaded only by programs that import them.
"""
