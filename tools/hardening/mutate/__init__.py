"""Mutation tests: change one operator, constant or statement at a time, and see what fails.

A change that no test notices is called a survivor: a missing test, or a change that makes no
difference. `survivors.toml` explains the latter.
"""
