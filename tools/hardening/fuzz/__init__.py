"""`make fuzz`: inputs nobody thought of, for the core on CPython and for a live virtual board."""
