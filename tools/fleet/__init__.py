"""From one board to many: engines (NATS, Mosquitto), the gateway, and the demonstration.

docs/fleet.md describes all of it. `engines` starts brokers. `gateway`, `broker`, `viewers`,
`access`, `pages`, `overview` and `processes` are the gateway. `demo` is `make fleet`, `bench` is
`make bench-fleet`.
"""
