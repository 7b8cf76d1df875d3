"""Cut a board's power at random moments: while it starts, serves and writes settings."""

import json
import random
import time

# Changes settings in a loop; the two fields must match.
SAVES = """
from admin import settingsfile
number = 0
while True:
    number += 1
    settingsfile.save({"broadcast": {"interval": number, "text": str(number)}})
    if number == 1:
        print("saving")
"""
SECRETS = '{"wifi_password": "unchanged1", "admin_password": "unchanged2"}'


def cut_at_random(make_board, times, seed):
    """Raises AssertionError if the board does not start, or with mixed settings."""
    chance = random.Random(seed)
    config = {"broadcast": {"interval": 0, "text": "0"}}
    board = make_board(config=config, files={"saves.py": SAVES, "secrets.json": SECRETS})
    for count in range(times):
        if count % 2:
            board.exec("print('prompt')")
            position = board.log_position
            board.serial_write(b"import saves\r")
            board.wait_for_log("saving", since=position)
            time.sleep(chance.random() * 0.1)
        position = board.log_position
        board.power_cycle()
        time.sleep(chance.random() * 0.5)  # somewhere between boot.py and serving
        if not count % 2:
            position = board.log_position
            board.power_cycle()
        # Of this start: the one before may have said that it serves just now.
        board.wait_for_log(r"(?s)access point.*serving ws://", since=position)
        where = f"seed {seed}, time {count}"
        broadcast = json.loads((board.flash / "config.json").read_text())["broadcast"]
        assert str(broadcast["interval"]) == broadcast["text"], where
        assert (board.flash / "secrets.json").read_text() == SECRETS, where
        assert "password unchanged1" in board.log[position:], where
        assert not list(board.flash.glob("failed-*")), where
