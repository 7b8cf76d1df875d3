"""Put every kind of load on a board at once, for hours: `make soak`."""
