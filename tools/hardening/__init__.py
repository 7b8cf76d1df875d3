"""Attempts to break the server: mutations of its code, which the tests must notice."""
