"""Attack the server and its tests: fuzzing, soak test, bad input, mutations, and comparisons."""
