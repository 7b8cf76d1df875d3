"""Turns MicroPython's Unix port into a board: the first thing that its interpreter runs.

Arguments: the run directory, which holds the flash, the compiled stand-ins and the air file.
Written so that it leaves nothing behind in the namespace that boot.py, main.py and the prompt
share.
"""


def _start():
    import gc
    import json
    import sys

    import uos
    import vfs

    run = sys.argv[1]
    sys.argv[:] = []
    with open(run + "/board.json") as file:
        board = json.load(file)
    sys.path[:] = [run + "/modules"]
    host = vfs.VfsPosix(run)  # stays reachable when / is the flash

    def tell(*words):
        with host.open("/events", "a") as file:
            file.write(" ".join(str(word) for word in words) + "\n")

    def read_air():
        with host.open("/air.json", "r") as file:
            return file.read()

    import errno  # noqa: F401
    import os  # noqa: F401
    import select  # noqa: F401
    import socket
    import time  # noqa: F401

    import esp32  # noqa: F401
    import machine
    import network

    machine.setup(board["cause"], tell)
    network.setup(read_air)
    ports = {int(port): there for port, there in board["ports"].items()}
    socket.setup(ports, board["sockets"], lambda port: tell("listening", port))
    vfs.umount("/")
    vfs.mount(vfs.VfsPosix(run + "/flash"), "/")
    uos.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    tell("started")
    gc.collect()
    return board["raw"]


def _run(path):
    """Run a file as the chip does at start."""
    import sys

    import uos

    try:
        uos.stat(path)
    except OSError:
        return
    try:
        execfile(path)
    except SystemExit:
        import machine

        machine.reset("soft reset")
    except BaseException as error:
        sys.print_exception(error)


def _main():
    raw = _start()
    _run("boot.py")
    if raw:
        print("\0raw\0", end="")
    else:
        _run("main.py")


try:
    _main()
finally:
    del globals()["_start"], globals()["_run"], globals()["_main"]
