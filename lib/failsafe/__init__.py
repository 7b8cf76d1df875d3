"""Recover from failed starts, hangs and bad OTA updates. No OTA update replaces this package.

Imports nothing from the rest of lib/, which an update may have broken. `rollback` is loaded at
startup if there is an update or a failed start to handle; `crash`, `crashlog` and `bootcount` when
an error ends main.py or boot.py. `watchdog` stays loaded while the watchdog is armed.
"""

# This and a number of seconds: the file with the settings before an unconfirmed change.
UNDO_SETTINGS = "config.undo-"
