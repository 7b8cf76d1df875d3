"""Send random, mutated and exhaustive input to the core and to live boards: `make fuzz`."""
