"""What kinds of boards there are, what is plugged in, and how MicroPython gets onto them."""
