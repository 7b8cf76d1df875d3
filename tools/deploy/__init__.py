"""Puts the firmware's files onto a board that has MicroPython: only what changed."""
