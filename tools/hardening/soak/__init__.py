"""`make soak`: hours of mixed load with faults on a virtual board, and what became of it."""
