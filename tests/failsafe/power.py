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
    files = {"saves.py": SAVES, "secrets.json": SECRETS}
    board = make_board(config=config, files=files, littlefs=True)
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
        found = board.files()
        broadcast = json.loads(found["/config.json"])["broadcast"]
        assert str(broadcast["interval"]) == broadcast["text"], where
        assert found["/secrets.json"].decode() == SECRETS, where
        assert "password unchanged1" in board.log[position:], where
        assert not [name for name in found if name.startswith("/failed-")], where
