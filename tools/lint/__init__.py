"""`make lint`: check style, types, compiling, prose and generated files."""
