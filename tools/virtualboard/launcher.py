"""Turn MicroPython's Unix port into a board: the first thing that its interpreter runs.

Arguments: the run directory, which holds the flash, the compiled stand-ins and the air file.
Written so that it leaves nothing behind in the namespace that boot.py, main.py and the prompt
share.
"""


# Long: all its names end with it, and nothing stays in the namespace of the prompt.
def _start():
    import json
    import sys

    import uos
    import vfs

    run = sys.argv[1]
    sys.argv[:] = []
    sys.ps1 = "\x1eps1\x1e>>> "  # tells the console when the prompt comes
    sys.ps2 = "\x1eps1\x1e... "
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

    def read_program(size):
        with host.open("/program.py", "rb") as file:
            return file.read(size)

    import errno  # noqa: F401
    import os
    import select  # noqa: F401
    import socket
    import time  # noqa: F401

    import _chipthread
    import _tls
    import esp32
    import machine
    import neopixel  # noqa: F401
    import network

    if board["heap"] > 0x100000:  # a chip with PSRAM, which is a region of its own
        esp32._REGIONS.insert(0, (board["heap"],) * 4)
    sys.modules["tls"] = _tls
    sys.modules["_thread"] = _chipthread
    if "_gc" in board["modules"]:
        import _gc
    if "ssl" in board["modules"]:
        import ssl  # noqa: F401
    growth = None
    if board["growth"]:
        import _chipheap
        import uctypes

        growth = _chipheap.Growth(board["growth"], run + "/heap", board["fields"])
        layout = {name: uctypes.UINT32 | 4 * index for index, name in enumerate(board["fields"])}
        esp32._page = uctypes.struct(growth.page["failed"], layout)
    if board["blocks"]:
        import _flash

        _flash.device = _flash.Device(run + "/flash.img", board["blocks"])
        file_system = vfs.VfsLfs2(_flash.device)
        os._setup(None)
    else:
        file_system = vfs.VfsPosix(run + "/flash")
        os._setup(run + "/flash")
    machine._setup(board["cause"], tell, read_program, globals())
    chip = board["chip"]
    network._setup(read_air, chip["wifi"], chip["rmii"])
    os._machine = machine._machine = chip["machine"]
    socket._WINDOW = chip["window"]
    if chip["highest_pin"]:  # not the first ESP32
        machine._choose_chip(chip["highest_pin"])
        esp32.mcu_temperature = lambda: 53
        del esp32.raw_temperature
    ports, udp_ports = (
        {int(port): there for port, there in board[name].items()}
        for name in ("ports", "udp_ports")
    )
    socket._setup(
        board["address"],
        ports,
        udp_ports,
        board["sockets"],
        lambda port: tell("listening", port),
    )
    rom = None
    if growth and board["romfs"]:
        rom = vfs.VfsRom(growth.flash(run + "/romfs", board["romfs"]))
    elif board["romfs"]:
        with open(run + "/romfs", "rb") as file:
            rom = vfs.VfsRom(file.read())
    vfs.umount("/")
    vfs.mount(file_system, "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    if rom:  # as MicroPython mounts the first ROM partition
        vfs.mount(rom, "/rom")
        sys.path[2:2] = ["/rom", "/rom/lib"]
    uos.chdir("/")
    if growth:
        growth.forget_names()
        socket._make_reserve()
        # All of this stays: what would be collected later would leave holes.
        machine._filler = [None, None, board, growth, _chipheap, tell, read_program]
        _gc._hidden = growth.limit(board["heap"], board["used"], machine._filler)
    else:
        machine._filler = [board, read_program, None]
        machine._filler[-1] = _fill(board["heap"])
        if "_gc" in board["modules"]:
            _gc._hidden = _gc._mem_alloc() - board["used"]
    if "_gc" in board["modules"]:
        sys.modules["gc"] = _gc
    tell("started")
    return board["raw"]


def _fill(heap):
    """Fill the holes that loading has left, so that the heap is in one piece as a chip's is.

    Returns what it is filled with, to be kept: as much as leaves `heap` bytes free.
    """
    import gc

    filler = None
    if heap <= 0x100000:  # in a larger one, holes do not matter, and looking at it takes long
        _make_space_for_names()
        gc.collect()
        before = gc.mem_free()
        filler = (filler,)  # takes one block, and the lowest that is free
        block = before - gc.mem_free()
        # Asking takes as long as the heap is large, so most blocks are taken without.
        for _ in range((gc.mem_free() - heap) // block - 4):
            filler = (filler,)
        while gc.mem_free() > heap:
            filler = (filler,)
    return filler


def _make_space_for_names():
    """Have MicroPython allocate its next table of names (qstrs), which doubles each time.

    The stand-ins have filled most of the present one: the firmware would soon pay for one of twice
    the size that it would have on a chip, where the names of built-in modules are in flash.
    """
    import gc

    gc.collect()
    for number in range(1000):
        before = gc.mem_alloc()
        hasattr(gc, "name%d" % number)  # makes a name of the text
        if gc.mem_alloc() - before > 4000:
            return


def _run(path):
    """Run a file as the chip does at start."""

    import uos

    try:
        uos.stat(path)
    except OSError:
        return
    try:
        execfile(path)
    except SystemExit:
        import machine

        machine.soft_reset()
    except BaseException as error:
        _print(error)


def _print(error):
    """The traceback, as a board prints it: without this file."""
    import io
    import sys

    text = io.StringIO()
    sys.print_exception(error, text)
    for line in text.getvalue().rstrip().split("\n"):
        if "virtualboard/launcher.py" not in line:
            print(line)


def _main():
    raw = _start()
    _run("boot.py")
    if raw:
        print("\x1eraw\x1e", end="")
    else:
        _run("main.py")
        import machine

        machine._greet("\x1eown\x1e")


try:
    _main()
finally:
    del (
        globals()["_start"],
        globals()["_run"],
        globals()["_print"],
        globals()["_fill"],
        globals()["_make_space_for_names"],
        globals()["_main"],
    )
