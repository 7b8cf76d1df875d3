"""`make image`: MicroPython and the files of a board in one file, and boards that run from it."""

import pytest
import websockets.sync.client
from esp32_mock_bootloader.api import mock_bootloader

from tests.tools.board import images
from tests.tools.commands import run
from tools import ROOT
from tools.board import partitions, table
from tools.deploy import filesystem, imaging
from tools.failure import Failure
from tools.virtualboard import disk

pytestmark = pytest.mark.host

VFS = ("vfs", 0x200000, 0x200000)


@pytest.fixture
def stock(tmp_path):
    """stock(chip, *partitions, version=...) -> a file that looks like MicroPython's image."""

    def make(chip="esp32", *listed, **options):
        board = table.find(chip, table.load())
        file = tmp_path / f"{chip}-stock.bin"
        file.write_bytes(images.firmware(board.chip, board.offset, *listed, **options))
        return file

    return make


@pytest.fixture
def make_image(stock, tmp_path):
    """make_image(chip, *partitions, **options) -> (the image's file, its row of boards.toml)."""

    def make(chip="esp32", *listed, **options):
        options = {"boot": False, "to": tmp_path / f"{chip}.bin", **options}
        firmware = stock(chip, *(listed or (VFS,)))
        made = imaging.make(imaging.Options(chip=chip, firmware=firmware, **options))
        return made, table.find(chip, table.load())

    return make


def files_in(file, board):
    data = file.read_bytes()
    found = partitions.file_system(partitions.read(data, board.offset), 4 << 20)
    return filesystem.unpack(data[found.offset - board.offset :], found.size // 4096)


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c3"])
def test_an_image_holds_every_file_of_the_firmware(make_image, chip):
    file, board = make_image(chip)
    files = files_in(file, board)
    for name in ("/boot.py", "/main.py", "/lib/startup.mpy", "/www/index.html.gz"):
        assert name in files, name
    assert "/config.json" not in files
    assert not any(name.startswith("/certs") for name in files)
    assert files["/lib/wsserver/core/native.mpy"][:2] == b"M\x06"


def test_the_file_system_begins_where_micropython_looks_for_it(make_image):
    file, board = make_image("esp32", VFS)
    data = file.read_bytes()
    assert data[0x200000 - board.offset :][8:16] == b"littlefs"
    assert partitions.read(data, board.offset)[-1].offset == 0x200000


def test_an_image_without_a_file_system_partition_gets_one(make_image):
    file, board = make_image("esp32s3", ("nvs", 0x9000, 0x6000))
    listed = partitions.read(file.read_bytes(), board.offset)
    assert (listed[-1].label, listed[-1].offset, listed[-1].size) == VFS
    assert "/boot.py" in files_in(file, board)


def test_a_larger_flash_has_a_larger_file_system(make_image):
    file, board = make_image("esp32s3", ("nvs", 0x9000, 0x6000), flash=8, boot=True)
    partition = partitions.read(file.read_bytes(), board.offset)[-1]
    assert partition.size == 6 << 20
    assert len(file.read_bytes()) < 4 << 20, "it ends with the last block in use"


def test_an_image_whose_table_is_for_more_flash_needs_no_size(make_image):
    file, board = make_image("esp32s3", ("vfs", 0x310000, 0x4F0000))
    assert partitions.read(file.read_bytes(), board.offset)[-1].end == 8 << 20
    with pytest.raises(Failure, match="needs more flash than 4 MB"):
        make_image("esp32s3", ("vfs", 0x310000, 0x4F0000), flash=4)


def test_settings_certificates_and_an_application_are_added(make_image, certs, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name in ("boot.py", "main.py", "lib", "www"):
        (root / name).symlink_to(ROOT / name)
    (root / "certs").symlink_to(certs)
    (tmp_path / "my.json").write_text('{"server": {"max_clients": 2}}')
    (tmp_path / "mine.py").write_text("def setup(board):\n    pass\n")
    file, board = make_image(
        root=root, config=tmp_path / "my.json", app=tmp_path / "mine.py", certs=True
    )
    files = files_in(file, board)
    assert files["/config.json"] == b'{"server": {"max_clients": 2}}'
    assert "/certs/server.key.der" in files
    assert any(name.startswith("/app/app.") for name in files)
    assert not any("ca.key" in name for name in files)


def test_invalid_settings_are_refused(make_image, tmp_path):
    (tmp_path / "bad.json").write_text('{"server": {"max_clients": 0}}')
    with pytest.raises(Failure, match=r"bad.json: server.max_clients: must be a whole number"):
        make_image(config=tmp_path / "bad.json")
    assert not (tmp_path / "esp32.bin").exists()


@pytest.mark.parametrize(
    ("version", "text"),
    [("", "is not MicroPython: it names no version"), ("1.21.0", "needs 1.22.0 or newer")],
)
def test_an_unusable_stock_image_is_refused(stock, tmp_path, version, text):
    options = imaging.Options("esp32", stock("esp32", VFS, version=version), to=tmp_path / "x")
    with pytest.raises(Failure, match=text):
        imaging.make(options)
    assert not (tmp_path / "x").exists()


def test_files_that_do_not_fit_are_refused():
    with pytest.raises(Failure, match="the files have 200 KB, more than the file system's 160 KB"):
        filesystem.pack({"/large": bytes(200 << 10)}, 40)


def test_a_damaged_file_system_is_found(make_image):
    file, board = make_image()
    data = bytearray(file.read_bytes())
    start = 0x200000 - board.offset
    data[start : start + 0x2000] = bytes(0x2000)
    with pytest.raises(Failure, match="no file system that MicroPython can mount"):
        filesystem.unpack(bytes(data[start:]), 512)


def test_an_image_of_micropython_alone_is_no_flash_for_a_board(stock):
    with pytest.raises(Failure, match=r"holds MicroPython only, .* make image CHIP="):
        disk.read(stock("esp32", VFS))


# --- running from it


def test_a_board_serves_from_the_image_of_a_chip(make_image, make_board):
    board = make_board(image=make_image("esp32c3")[0])
    with websockets.sync.client.connect(board.ws_url()) as client:
        client.send("from littlefs")
        assert client.recv() == "from littlefs"
    assert board.exec("import os; print(os.statvfs('/')[:3])") == "(4096, 4096, 512)\n"


def test_a_file_on_littlefs_survives_a_power_cut(make_image, make_board):
    board = make_board(image=make_image()[0], files={"main.py": ""}, wait=False)
    board.wait_for_log(">>> $")
    board.exec("with open('/new', 'w') as file: file.write('kept')")
    board.exec("import os; os.rename('/new', '/old')")
    position = board.log_position
    board.power_cycle()
    board.wait_for_log(">>> $", since=position)
    assert board.exec("print(open('/old').read())") == "kept\n"
    assert board.files()["/old"] == b"kept"


def test_make_image_starts_a_virtual_board_from_its_result(make_image, capsys):
    make_image(boot=True)
    assert "a virtual board started from it and served" in capsys.readouterr().out


def test_an_image_that_does_not_start_is_an_error(stock, tmp_path):
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    (root / "main.py").write_text("raise ValueError('broken')\n")
    made = imaging.assemble(
        table.find("esp32", table.load()),
        stock("esp32", VFS),
        imaging.Options("esp32", root=root),
    )
    file = tmp_path / "broken.bin"
    file.write_bytes(made.data)
    with pytest.raises(Failure, match="does not start on the virtual board"):
        imaging.boot(file, root, seconds=2)


# --- writing it


def test_flash_writes_everything_in_one_step(stock):
    chip = mock_bootloader("esp32")
    try:
        arguments = ("--image", "--firmware", stock("esp32", VFS), "--wait", 0)
        status, output, errors = run("flash", "--port", chip.url(), *arguments)
    finally:
        chip.stop()
    assert status == 0, errors
    assert "files in a file system at 0x200000" in output
    assert output.strip().endswith("written and verified")


def test_flash_without_image_refuses_the_options_of_an_image():
    status, _, errors = run("flash", "--config", "config.json")
    assert status == 1
    assert (
        "APP=, CONFIG=, CERTS=1 and SOURCE=1 are for an image with the firmware: add IMAGE=1"
        in errors
    )
