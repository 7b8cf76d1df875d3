"""Attack the server: fuzzing, soak test, bad input, and the same checks on other servers."""
