"""The host side: what runs on the computer, never on the board."""
