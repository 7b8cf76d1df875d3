"""The host tools and the board's files in one installable package: see `esp32-ws --help`."""
