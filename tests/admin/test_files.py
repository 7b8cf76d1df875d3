"""{"do": "files"} at /settings: the files in /www and /app."""

import ast
import hashlib
import os

import pytest

from tests.admin.admin import SECRET, Admin
from tools import ROOT
from tools.deploy.files import firmware
from tools.deploy.webpages import pack

CONFIG = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
APPLICATION = "def setup(board):\n    print('hello from', 'app')\n"


@pytest.fixture(scope="module")
def board(make_board):
    """A board with some files. Each test uses names of its own."""
    files = {
        "app/app.py": APPLICATION,
        "app/data/plants.json": "{}",
        "www/own.txt": "text",
        "lib/secret.py": "# not to be read",
    }
    board = make_board(config=CONFIG, files=files, heap="160k")
    os.symlink("../lib/secret.py", board.flash / "app" / "link.py")
    os.symlink("../lib", board.flash / "app" / "folder")
    return board


@pytest.fixture
def admin(board):
    with Admin(board) as admin:
        yield admin


def entries(admin, folder):
    """Return {name: [size, whether it is the firmware's]}."""
    found, start = {}, 0
    while start is not None:
        answer = admin.ask(do="files", list=folder, **{"from": start})
        assert answer["type"] == "files", answer
        found.update({name: rest for name, *rest in answer["entries"]})
        start = answer["next"]
    return found


def read(admin, path):
    content = b""
    while True:
        piece = admin.ask(do="files", read=path, **{"from": len(content)})
        if not isinstance(piece, bytes):
            return piece
        content += piece
        if len(piece) < 1024:
            return content


def write(admin, path, content, piece=1024, **options):
    answer = admin.ask(do="files", write=path, size=len(content), **options)
    for at in range(0, len(content), piece):
        if "left" not in answer:
            break
        answer = admin.send_bytes(content[at : at + piece])
    return answer


def test_folders_are_listed_with_sizes_and_the_firmwares_pages_marked(admin):
    assert entries(admin, "/app") == {"app.py": [len(APPLICATION), False], "data": [-1, False]}
    assert entries(admin, "/app/data") == {"plants.json": [2, False]}
    pages = entries(admin, "/www")
    assert pages["own.txt"] == [4, False]
    assert pages["settings.html.gz"][1]
    assert {name for name in pages if not pages[name][1]} == {"own.txt"}


def test_a_large_folder_is_listed_in_pieces(admin, board):
    (board.flash / "app" / "many").mkdir()
    names = ["%03d%s" % (number, "x" * 90) for number in range(40)]
    for name in names:
        (board.flash / "app" / "many" / name).touch()
    assert sorted(entries(admin, "/app/many")) == names


@pytest.mark.parametrize("size", [0, 1, 1024, 5000])
def test_a_file_is_written_read_and_deleted(admin, board, size):
    content = os.urandom(size)
    path = "/app/new/deep/file%d.bin" % size
    assert write(admin, path, content)["written"] == path
    assert (board.flash / path[1:]).read_bytes() == content
    assert read(admin, path) == content
    assert admin.ask(do="files", delete=path)["deleted"] == path
    assert not (board.flash / path[1:]).exists()
    assert read(admin, path)["error"].endswith("not found")


def test_folders_cannot_be_so_deep_that_an_update_lacks_memory(admin, board):
    deepest = "/app/" + "d/" * 6 + "file"
    assert write(admin, deepest, b"text")["written"] == deepest
    error = write(admin, "/app/" + "d/" * 7 + "file", b"text")["error"]
    assert error.endswith("too deep: at most 7 folders")
    assert not (board.flash / ("app/" + "d/" * 7)).exists()
    (board.flash / ("app/" + "d/" * 8)).mkdir(parents=True)
    old = "/app/" + "d/" * 8 + "old"
    (board.flash / old[1:]).write_text("older firmware took it")
    assert write(admin, old, b"new")["written"] == old


def test_a_file_that_has_changed_since_it_was_read_is_not_replaced(admin, board):
    path, other = "/app/shared.txt", board.flash / "app/shared.txt"
    old = hashlib.sha256(b"old").hexdigest()
    assert write(admin, path, b"old", was="")["written"] == path
    assert write(admin, path, b"again", was="") == {"type": "files", "changed": path}
    assert write(admin, path, b"new", was=old)["written"] == path
    assert write(admin, path, b"late", was=old) == {"type": "files", "changed": path}
    assert other.read_bytes() == b"new"
    other.unlink()
    assert write(admin, path, b"late", was=old) == {"type": "files", "changed": path}
    assert write(admin, path, b"late")["written"] == path  # without a check
    other.unlink()


OUTSIDE = [
    *("/config.json", "/secrets.json", "/boot.py", "/lib/startup.py", "/", "", "app/app.py"),
    *("/app/../config.json", "/www/../lib/startup.py", "/app/./app.py", "/app//app.py"),
    *("/APP/app.py", "/app\\app.py", "/app/..", "/app/a\x00b", "/app/a\nb", "/app/.hidden"),
    *("/app/link.py", "/app/folder/secret.py", "/app/APP.PY", "/app/App.py", "/app/app.py "),
    *("/app/app.py.", "/app/app.py/x", "/app/" + "x" * 200, 7, None, ["/app/app.py"]),
    *("/application.py", "/app", "/www", "/app/data/", "/app/C:x", "/app/x\x7f"),
    *("/app/\ud800x", "/app/a\u202eb", "/app/\u2066x", "/app/x\u200f"),
]


@pytest.mark.parametrize("path", OUTSIDE, ids=repr)
def test_no_other_path_can_be_read_written_or_deleted(admin, board, path):
    before = {file: file.read_bytes() for file in board.flash.rglob("*") if file.is_file()}
    assert admin.ask(do="files", read=path)["type"] == "error"
    assert admin.ask(do="files", delete=path)["type"] == "error"
    assert admin.ask(do="files", write=path, size=3)["type"] == "error"
    assert admin.send_bytes(b"abc")["type"] == "error"
    after = {file: file.read_bytes() for file in board.flash.rglob("*") if file.is_file()}
    assert after == before


@pytest.mark.parametrize("path", ["/", "/lib", "/app/folder", "/app/..", "/app/app.py", 1])
def test_no_other_folder_can_be_listed(admin, path):
    assert admin.ask(do="files", list=path)["type"] == "error"


def test_the_pages_of_the_firmware_are_those_of_www():
    tree = ast.parse((ROOT / "lib" / "admin" / "files.py").read_text())
    (own,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_OWN"
    ]
    files = {path: file.read_bytes() for path, file in firmware(ROOT).items()}
    packed = [name for name in pack(files) if name.startswith("/www/")]
    assert {name[5:].removesuffix(".gz") for name in packed} <= set(own)


NAMES = [
    *("/app/wsserver.py", "/app/startup.mpy", "/app/JSON.py", "/app/failsafe/x.py"),
    *("/www/settings.html", "/www/index.html.gz", "/www/Join.html", "/app/www/settings.html"),
    *("/app/www/livelog.js.gz",),
]


@pytest.mark.parametrize("path", NAMES)
def test_a_name_of_the_firmware_cannot_be_written(admin, path):
    answer = write(admin, path, b"x")
    assert "firmware" in answer["error"] or "exists as" in answer["error"]


def test_a_page_of_the_firmware_cannot_be_deleted_but_read(admin):
    assert "firmware" in admin.ask(do="files", delete="/www/settings.html.gz")["error"]
    assert read(admin, "/www/settings.html.gz")[:2] == b"\x1f\x8b"


def test_an_application_may_have_an_index_page_of_its_own(admin):
    assert write(admin, "/app/www/index.html", b"<p>mine</p>")["type"] == "files"
    assert admin.ask(do="files", delete="/app/www/index.html")["type"] == "files"


def test_a_new_page_replaces_its_compressed_file(admin, board):
    (board.flash / "www" / "mine.html.gz").write_bytes(b"old")
    answer = write(admin, "/www/mine.html", b"new")
    assert answer == {
        "type": "files",
        "written": "/www/mine.html",
        "removed": "/www/mine.html.gz",
    }
    assert not (board.flash / "www" / "mine.html.gz").exists()


def test_an_upload_that_ends_early_changes_nothing(admin, board):
    assert write(admin, "/app/early.txt", b"before")["type"] == "files"
    assert admin.ask(do="files", write="/app/early.txt", size=9)["left"] == 9
    assert admin.send_bytes(b"after")["left"] == 4
    with Admin(board) as other:
        assert "another page" in write(other, "/app/other.txt", b"x")["error"]
    admin.client.close()
    with Admin(board) as other:
        assert read(other, "/app/early.txt") == b"before"
        assert write(other, "/app/other.txt", b"x")["type"] == "files"
    assert not list((board.flash / "app").glob(".*"))


def test_more_bytes_than_announced_change_nothing(admin, board):
    assert write(admin, "/app/more.txt", b"before")["type"] == "files"
    assert admin.ask(do="files", write="/app/more.txt", size=2)["left"] == 2
    assert "nothing is changed" in admin.send_bytes(b"after")["error"]
    assert admin.send_bytes(b"ab")["type"] == "error"
    assert read(admin, "/app/more.txt") == b"before"
    assert not list((board.flash / "app").glob(".*"))


def test_a_file_that_does_not_fit_the_flash_is_refused(admin):
    answer = admin.ask(do="files", write="/app/huge.txt", size=10_000_000)
    assert "the flash is full" in answer["error"]


@pytest.mark.parametrize("size", [-1, "3", None, 2.5, True])
def test_an_invalid_size_is_refused(admin, size):
    assert "size: must be" in admin.ask(do="files", write="/app/a.txt", size=size)["error"]


def test_a_folder_is_deleted_only_if_it_is_empty(admin, board):
    assert write(admin, "/app/full/file.txt", b"x")["type"] == "files"
    assert (
        "the folder /app/full is not empty" in admin.ask(do="files", delete="/app/full")["error"]
    )
    assert admin.ask(do="files", delete="/app/full/file.txt")["type"] == "files"
    assert admin.ask(do="files", delete="/app/full")["deleted"] == "/app/full"
    assert not (board.flash / "app" / "full").exists()


@pytest.mark.parametrize(
    "command",
    [
        *({}, {"move": "/app/app.py"}, {"list": "/app", "from": -1}),
        {"read": "/www/update.js.gz", "from": 1 << 62},
    ],
)
def test_an_unknown_command_of_files_is_an_error(admin, command):
    assert admin.ask(do="files", **command)["type"] == "error"


def test_a_program_that_fails_is_repaired_in_safe_mode(make_board):
    board = make_board(config=CONFIG, heap="160k")
    with Admin(board) as admin:
        assert write(admin, "/app/app.py", b"def setup(board):\n    1 / 0\n")["type"] == "files"
        position = board.log_position
        admin.ask(do="restart")
    board.wait_for_log(r"(?s)safe mode: 3 starts failed.*serving", 60, since=position)
    with Admin(board) as admin:
        assert "1 / 0" in read(admin, "/app/app.py").decode()
        assert write(admin, "/app/app.py", APPLICATION.encode())["type"] == "files"
        position = board.log_position
        admin.ask(do="restart")
    board.wait_for_log(r"(?s)hello from app.*serving", 30, since=position)


FOLDERS = ["/www/settings.html/x", "/app/www/update.js/x/y", "/app/new.py/x", "/app/new.MPY/x/y"]


@pytest.mark.parametrize("path", FOLDERS)
def test_no_folder_gets_a_name_of_the_firmware_or_a_program(admin, board, path):
    assert write(admin, path, b"x")["type"] == "error"
    assert not (board.flash / path[1:]).parent.exists()


def test_an_empty_folder_with_a_name_of_the_firmware_is_deleted(admin, board):
    (board.flash / "www" / "settings.html").mkdir()
    assert admin.ask(do="files", delete="/www/settings.html")["type"] == "files"
    assert not (board.flash / "www" / "settings.html").exists()


def test_a_name_that_cannot_be_used_is_counted_and_not_listed(admin, board):
    names = {
        "a\u202eb": "",
        "\u00fc.txt": "",
        "\U0001f600": "",
        ".hidden": "",
        "end.": "",
        "a b ": "",
    }
    folder = board.flash / "app" / "odd"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    (board.flash / "app" / "odd" / os.fsdecode(b"\xed\xa0\x80x")).touch()
    assert set(entries(admin, "/app/odd")) == {"\u00fc.txt", "\U0001f600"}
    assert admin.ask(do="files", list="/app/odd")["hidden"] == 5


def test_an_upload_that_a_power_cut_has_left_is_removed(board):
    for root in ("app", "www"):
        (board.flash / root / ".upload").write_bytes(b"half")
    with Admin(board) as admin:
        admin.ask(do="files", list="/app")
    assert not list(board.flash.glob("*/.upload"))


@pytest.mark.parametrize(
    ("path", "text"), [(None, "missing"), ("", "missing"), ("x" * 201, "long")]
)
def test_a_missing_or_long_path_is_named(admin, path, text):
    assert text in admin.ask(do="files", read=path)["error"]


def test_a_message_that_needs_too_much_memory_gets_an_answer(board):
    with Admin(board) as admin:
        admin.client.send("[" * 2000)
        assert admin.hear()["type"] == "error"
        assert admin.ask(do="files", list="/app")["type"] == "files"


def test_settings_without_a_change_do_not_restart_the_board(board):
    with Admin(board) as admin:
        assert "no changes" in admin.ask(save={})["error"]
        assert admin.ask(do="files", list="/app")["type"] == "files"
