"""Talks to a board over a serial port, or what stands for one: any URL that pyserial knows."""
