"""Boards on a serial port or a pyserial URL: list, flash, monitor, join, back up."""
