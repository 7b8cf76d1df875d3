"""Compare this server with others under the same faults: `make compare`."""
