"""Copy the firmware to a board that runs MicroPython: only what changed, over USB or Wi-Fi."""
