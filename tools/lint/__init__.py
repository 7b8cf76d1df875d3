"""What `make lint` checks: style, types, and that everything compiles for every chip."""
