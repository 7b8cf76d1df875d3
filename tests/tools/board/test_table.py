"""The table of boards, the document made of it, and the firmware images."""

import http.server
import random
import threading

import esptool
import pytest
from esptool.targets import CHIP_DEFS

from tools import ROOT
from tools.board import document, download, image, table
from tools.deploy.mpycross import ARCHITECTURES
from tools.failure import Failure

from . import images

pytestmark = pytest.mark.host

BOARDS = table.load()
ESP32 = table.find("esp32", BOARDS)
ROW = """
[one]
name = "One"
chip = "esp32"
offset = 0x1000
build = "ESP32_GENERIC"
least = "1.22.0"
arch = "xtensawin"
cores = 2
sram = 520
psram = false
led = { pin = 2, kind = "plain" }
boot = 0
crypto = "AES"
sockets = 10
window = 5744
max_clients = 5
max_tls = 2
notes = ""
"""

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)


# --- the table


def test_the_document_is_made_from_the_table_as_it_is_now():
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.text(BOARDS), "make format"


@pytest.mark.parametrize("chip", sorted(image.CHIP_IDS.values()))
def test_every_chip_that_micropython_supports_has_a_row(chip):
    assert table.find(chip, BOARDS).chip == chip


@each_board
def test_a_rows_offset_is_where_the_chip_looks_for_its_boot_loader(board):
    assert board.offset == CHIP_DEFS[board.chip].BOOTLOADER_FLASH_OFFSET


@each_board
def test_a_row_names_a_cpu_that_everything_is_compiled_for(board):
    assert board.arch in ARCHITECTURES


def test_the_numbers_of_the_chips_are_esptools():
    assert {
        number: chip.CHIP_NAME.lower().replace("-", "")
        for number, chip in ((chip.IMAGE_CHIP_ID, chip) for chip in esptool.targets.ROM_LIST)
        if number in image.CHIP_IDS and chip.CHIP_NAME != "ESP8266"
    } == image.CHIP_IDS


@pytest.mark.parametrize("name", ["ESP32-H2", "esp32h2"])
def test_a_chip_without_wifi_has_ethernet_and_ppp(name):
    board = table.find(name, BOARDS)
    assert (board.wifi, board.networks) == (False, ("Ethernet (SPI)", "PPP"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.key)
def test_the_recommended_clients_fit_into_the_sockets(board):
    dns = 1 if board.wifi else 0
    assert board.max_clients <= board.sockets - 2 - dns - 2  # two listeners, two HTTP requests


def test_an_unknown_chip_is_answered_with_those_that_are_known():
    with pytest.raises(Failure, match=r"CHIP=esp8266 is not known: use one of esp32, "):
        table.find("esp8266", BOARDS)


@pytest.mark.parametrize("name", ["esp32-psram", "ESP32-PSRAM"])
def test_a_row_is_found_by_its_own_name(name):
    assert table.find(name, BOARDS).build == "ESP32_GENERIC-SPIRAM"


@pytest.mark.parametrize(("psram", "key"), [(False, "esp32s3"), (True, "esp32s3-psram")])
def test_the_row_for_a_chip_depends_on_its_memory(psram, key):
    assert table.fitting("esp32s3", psram, BOARDS).key == key


@pytest.mark.parametrize(
    ("chip", "version", "told"),
    [
        ("esp32", "1.21.0", "its MicroPython 1.21.0 is too old, 1.22.0 is needed: make flash"),
        ("esp32", "1.9.4", "its MicroPython 1.9.4 is too old, 1.22.0 is needed: make flash"),
        ("esp32", "1.22.0", ""),
        ("esp32c6", "1.23.0", "its MicroPython 1.23.0 is too old, 1.24.0 is needed: make flash"),
        ("esp32c6", "1.30.0", ""),
        ("esp32h2", "1.28.0", "its MicroPython 1.28.0 is too old, 1.29.0 is needed: make flash"),
        ("linux", "1.0.0", ""),
    ],
)
def test_a_micropython_that_is_too_old_for_its_chip_is_told(chip, version, told):
    assert table.outdated(chip, version, BOARDS) == told


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "One"\n', "", r"\[one\]: name: is missing"),
        ("cores = 2", 'cores = "two"', r"\[one\]: cores: must be of type int, not 'two'"),
        ("cores = 2", "cores = 2\nsize = 3", r"\[one\]: size: no such field"),
        ('"xtensawin"', '"mips"', r"\[one\]: arch: 'mips' does not look like one"),
        ("0x1000", "0x1001", r"\[one\]: offset: must be a multiple of 0x1000"),
        ("sockets = 10", "sockets = 5", r"max_clients < sockets"),
        ("window = 5744\n", "", r"\[one\]: window: is missing"),
        ("max_tls = 2", "max_tls = 6", r"\[one\]: max_tls and max_clients"),
        ('kind = "plain"', 'kind = "lamp"', r"\[one\]: led: must be"),
        ("psram = false", "psram = 0", r"\[one\]: psram: must be of type bool"),
        ("cores = 2", "cores = ", r"is not TOML"),
        (ROW, "", "has no rows"),
    ],
)
def test_a_mistake_in_the_table_is_told_with_row_and_field(tmp_path, old, new, problem):
    file = tmp_path / "boards.toml"
    file.write_text(ROW)
    assert len(table.load(file)) == 1
    file.write_text(ROW.replace(old, new))
    with pytest.raises(Failure, match=problem):
        table.load(file)


# --- images


@each_board
def test_a_whole_image_for_the_chip_is_taken(board, tmp_path):
    file = tmp_path / "image.bin"
    file.write_bytes(images.firmware(board.chip, board.offset))
    assert image.check(file, board, board.chip) == file.read_bytes()


def refusal(tmp_path, content):
    file = tmp_path / "image.bin"
    file.write_bytes(content)
    with pytest.raises(Failure) as caught:
        image.check(file, ESP32, "esp32")
    assert str(caught.value).endswith("nothing was written")
    return str(caught.value)


def test_an_image_for_another_chip_is_refused_with_the_one_to_take(tmp_path):
    text = refusal(tmp_path, images.firmware("esp32c3", 0x1000))
    assert "is for the esp32c3, but the chip is an esp32: use the image ESP32_GENERIC" in text


@pytest.mark.parametrize("content", [b"", b"\xe9", b"<html>404</html>" * 100, bytes(100)])
def test_what_is_no_image_is_refused(tmp_path, content):
    assert "is not an ESP32 firmware image" in refusal(tmp_path, content)


def test_an_application_without_its_boot_loader_is_refused(tmp_path):
    text = refusal(tmp_path, images.part("esp32", bytes(100000)))
    assert "no partition table" in text


@pytest.mark.parametrize("seed", range(5))
def test_an_image_that_was_cut_off_is_refused(tmp_path, seed):
    whole = images.firmware("esp32", 0x1000)
    refusal(tmp_path, whole[: random.Random(seed).randrange(len(whole))])


@pytest.mark.parametrize("at", [40, 0x7000 + 5, 0xF000 + 60, -1, -40])
def test_an_image_with_one_wrong_bit_is_refused(tmp_path, at):
    content = bytearray(images.firmware("esp32", 0x1000))
    content[at] ^= 4
    assert "is damaged" in refusal(tmp_path, content)


def test_an_image_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(Failure, match=r"FIRMWARE=.*none\.bin cannot be read: No such file"):
        image.check(tmp_path / "none.bin", ESP32, "esp32")


# --- fetching


@pytest.fixture
def site(tmp_path):
    """site(name=content, ...): a download site with these images; (its address, its requests)."""
    folder = tmp_path / "site"
    requests, servers = [], []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, template, *arguments):
            requests.append(self.path)

    def make(page, files):
        for name, content in files.items():
            path = folder / "resources" / "firmware" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        links = "".join(f'<a href="/resources/firmware/{name}">{name}</a>\n' for name in files)
        index = folder / "download" / page / "index.html"
        index.parent.mkdir(parents=True)
        index.write_text(links)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/", requests

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


GOOD = images.firmware("esp32", 0x1000)
FILES = {
    "ESP32_GENERIC-20250415-v1.25.0.bin": GOOD,
    "ESP32_GENERIC-20251209-v1.27.0.bin": GOOD,
    "ESP32_GENERIC-20240105-v1.9.1.bin": GOOD,
    "ESP32_GENERIC-20260101-v1.28.0-preview.12.gabc.bin": GOOD,
    "ESP32_GENERIC-SPIRAM-20260202-v1.28.0.bin": GOOD,
    "ESP32_GENERIC-20260202-v1.28.0.app-bin": GOOD,
}


def fetch(address, folder, key="esp32"):
    board = table.find(key, BOARDS)
    return download.newest(board, folder=folder, site=address, log=lambda text: None)


def test_the_newest_stable_image_of_the_build_is_fetched(site, tmp_path):
    address, _ = site("ESP32_GENERIC", FILES)
    file = fetch(address, tmp_path / "kept")
    assert file.name == "ESP32_GENERIC-20251209-v1.27.0.bin"
    assert file.read_bytes() == GOOD


def test_a_variants_image_is_found_on_the_page_of_its_board(site, tmp_path):
    address, _ = site("ESP32_GENERIC", FILES)
    file = fetch(address, tmp_path / "kept", "esp32-psram")
    assert file.name == "ESP32_GENERIC-SPIRAM-20260202-v1.28.0.bin"


def test_an_image_that_is_kept_is_not_fetched_again(site, tmp_path):
    address, requests = site("ESP32_GENERIC", FILES)
    fetch(address, tmp_path / "kept")
    del requests[:]
    fetch(address, tmp_path / "kept")
    assert requests == ["/download/ESP32_GENERIC/"]


def test_a_damaged_download_is_not_kept(site, tmp_path):
    address, _ = site("ESP32_GENERIC", {"ESP32_GENERIC-20250415-v1.25.0.bin": GOOD[:-9]})
    with pytest.raises(Failure, match="is damaged or cut off"):
        fetch(address, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_without_a_network_the_image_that_is_kept_is_used(tmp_path, capsys):
    (tmp_path / "ESP32_GENERIC-20250415-v1.25.0.bin").write_bytes(GOOD)
    file = fetch("http://127.0.0.1:1/", tmp_path)
    assert file.name == "ESP32_GENERIC-20250415-v1.25.0.bin"
    assert "could not look for a newer MicroPython" in capsys.readouterr().err


def test_without_a_network_and_image_it_says_what_to_fetch_and_where_to_put_it(tmp_path):
    with pytest.raises(Failure) as caught:
        fetch("http://127.0.0.1:1/", tmp_path)
    text = str(caught.value)
    assert "Download the newest ESP32_GENERIC-...-v....bin" in text
    assert "http://127.0.0.1:1/download/ESP32_GENERIC/" in text
    assert str(tmp_path) in text


def test_git_ignores_fetched_images():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/firmware/*.bin" in ignored
