"""An OTA update from the settings page: a file of `make build`, in a real browser."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments

import io
import json
import re
import tarfile

import pytest

from tests.admin.test_update import (  # noqa: F401
    CONFIG,
    PASSWORD,
    begin,
    firmware_of,
    new_board,
    password,
    project,
    raw,
    speed_up,
    state,
)
from tests.browser.pages import assert_accessible, expect, width_of
from tests.browser.slowlink import SlowLink
from tests.browser.test_settings_page import log_in, open_page  # noqa: F401
from tests.tools.deploy.test_romfs import image  # noqa: F401
from tools.deploy.updatefile import MANIFEST, Options, make
from tools.ports import free_port
from tools.virtualboard.interpreter import native_arch

DEMO = "lib/demo/application.py"


@pytest.fixture
def board(new_board):
    """A running board with the files of `project`."""
    with new_board(config=CONFIG) as board:
        board.wait_ready()
        yield board


@pytest.fixture
def build(project, tmp_path):
    """build() -> an update file with the files of `project` as they are now."""

    def build(**options):
        options = {"chips": (native_arch(),), "root": project, **options}
        return make(Options(to=tmp_path / "update.tar", **options), say=lambda line: None)

    return build


@pytest.fixture
def unwanted(board, lib_form):
    """A module on the board that was deployed before, and is no longer in `project`."""
    path = f"/lib/demo/extra{lib_form.suffix}"
    (board.flash / path[1:]).write_bytes(
        (board.flash / f"lib/demo/led{lib_form.suffix}").read_bytes()
    )
    (board.flash / "deployed.json").write_text(json.dumps([path]))
    return path


def append(project, path, text):
    (project / path).write_text((project / path).read_text() + text)


def changed(file, change):
    """Change the manifest of an update file."""
    with tarfile.open(file) as archive:
        contents = {member.name: archive.extractfile(member).read() for member in archive}
    manifest = json.loads(contents[MANIFEST])
    change(manifest)
    contents[MANIFEST] = json.dumps(manifest).encode()
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def tool(page):
    """Log in and open the tool, unless it is open."""
    log_in(page, PASSWORD)
    page.get_by_text("Update the firmware").click()
    expect(status(page)).to_contain_text(re.compile("has version|installed|rolled back"))
    return page


def status(page):
    return page.locator("#update-state")


def choose(page, file):
    page.get_by_label("Update file").set_input_files(file)


def install(page, file):
    choose(page, file)
    expect(status(page)).to_contain_text(re.compile("files? to send"))
    page.get_by_role("button", name="Install").click()


# --- a new version


def test_only_what_differs_is_sent_and_the_new_version_is_confirmed(
    open_page, board, project, build, unwanted
):
    append(project, DEMO, "\nprint('the new version')\n")
    (project / "lib" / "wsserver" / "__init__.py").write_text(
        (project / "lib" / "wsserver" / "__init__.py").read_text().replace("0.2.0", "0.3.0")
    )
    page = tool(open_page(board))
    expect(status(page)).to_have_text("The board has version 0.2.0.")
    choose(page, build())
    expect(status(page)).to_contain_text("Version 0.3.0; the board has 0.2.0. 2 files to send")
    expect(status(page)).to_contain_text(", 1 to remove.")
    position = board.log_position
    page.get_by_role("button", name="Install").click()
    expect(status(page)).to_contain_text("Version 0.3.0 is installed and confirmed.")
    board.wait_for_log("the new version", since=position)
    board.wait_for_log("update confirmed", since=position)
    assert state(board) == []
    assert unwanted not in board.files()
    choose(page, build())
    expect(status(page)).to_contain_text("there is nothing to install")
    expect(page.get_by_role("button", name="Install")).to_be_hidden()


def test_a_dropped_file_with_an_application_is_installed(open_page, board, build, tmp_path):
    app = tmp_path / "garden.py"
    app.write_text("def setup(board):\n    print('the garden')\n")
    page = tool(open_page(board))
    file = build(app=app)
    page.evaluate(
        """async (bytes) => {
            const about = {dataTransfer: new DataTransfer(), bubbles: true, cancelable: true};
            const drop = new DragEvent("drop", about);
            drop.dataTransfer.items.add(new File([new Uint8Array(bytes)], "update.tar"));
            document.body.dispatchEvent(drop);
        }""",
        list(file.read_bytes()),
    )
    expect(status(page)).to_contain_text(re.compile("files? to send"))
    page.get_by_role("button", name="Install").click()
    expect(status(page)).to_contain_text("is installed and confirmed")
    board.wait_for_log("the garden")


def test_a_version_that_fails_is_rolled_back_and_the_page_says_why(
    open_page, board, project, build
):
    before = firmware_of(board)
    append(project, DEMO, "\n1 / 0\n")
    page = tool(open_page(board))
    install(page, build())
    expect(status(page)).to_contain_text("has rolled back to version 0.2.0", timeout=40_000)
    log = page.get_by_role("region", name="End of the crash log")
    expect(log).to_contain_text("ZeroDivisionError")
    assert firmware_of(board) == before
    other = page.context.new_page()
    other.goto(page.url)
    tool(other)
    expect(status(other)).to_contain_text("has rolled back")  # until an admin has dismissed it
    other.get_by_role("button", name="Dismiss").click()
    expect(status(other)).to_have_text("The board has version 0.2.0.")
    assert state(board) == []
    good = (project / DEMO).read_text().replace("1 / 0", "NEW = 1")
    (project / DEMO).write_text(good)
    install(other, build())
    expect(status(other)).to_contain_text("is installed and confirmed")
    page.get_by_role("button", name="Dismiss").click()
    expect(status(page)).to_have_text("The board has version 0.2.0.")
    expect(log).to_be_hidden()


def test_a_page_opened_later_confirms_the_update(open_page, board, project, build):
    append(project, DEMO, "\nNEW = 1\n")
    page = tool(open_page(board))
    position = board.log_position
    install(page, build())
    expect(status(page)).to_contain_text("The board restarts")
    page.close(run_before_unload=False)
    board.wait_for_log(r"trial-1 of 3(.*\n)*serving", since=position)
    expect(status(tool(open_page(board)))).to_contain_text("is installed and confirmed")
    assert state(board) == []


def test_a_board_with_lib_in_a_romfs_gets_everything_but_lib(
    open_page, make_board, image, project, build
):
    append(project, DEMO, "\nraise ValueError\n")
    append(project, "main.py", "\nraise ValueError\n")
    (project / "www" / "more.html").write_text("more")
    file = project / "lib" / "wsserver" / "__init__.py"
    file.write_text(file.read_text().replace("0.2.0", "0.3.0"))
    board = make_board(romfs=image, config=CONFIG, heap="256k")
    before = board.files()
    page = tool(open_page(board))
    choose(page, build())
    expect(status(page)).to_contain_text("The board's lib/ is in a ROMFS: it stays as it is")
    page.get_by_role("button", name="Install").click()
    installed = "Version 0.2.0 is installed and confirmed."
    expect(status(page)).to_contain_text(installed, timeout=60000)
    after = board.files()
    assert after["/www/more.html"] == b"more"
    assert after["/main.py"] == before["/main.py"]
    assert not any(path.startswith("/lib/") for path in after)


def test_over_a_slow_link_an_update_takes_its_time_and_works(open_page, board, project, build):
    append(project, DEMO, "\nNEW = '%s'\n" % ("x" * 9000))
    with SlowLink(board.http_port) as link:
        page = open_page(type("Far", (), {"http_url": f"http://127.0.0.1:{link.port}/"}))
        install(tool(page), build())
        expect(status(page)).to_contain_text("is installed and confirmed", timeout=60_000)


# --- files that do not fit


@pytest.fixture(scope="module")
def shared(make_board):
    """A board that no test changes."""
    return make_board(config=CONFIG, heap="192k")


@pytest.fixture(scope="module")
def update_file(tmp_path_factory):
    """An update file for it."""
    to = tmp_path_factory.mktemp("update") / "update.tar"
    return make(Options((native_arch(),), to=to), say=lambda line: None)


@pytest.fixture(scope="module")
def page_of_shared(shared, browser):
    """Its settings page with the tool."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(shared.http_url + "settings.html")
    yield tool(page)
    context.close()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda manifest: manifest.update(format=2), "does not know the format"),
        (lambda manifest: manifest.update(layout=1), "another generation of the firmware"),
        (lambda manifest: manifest.update(archs=["rv32imc"]), f"make build CHIP={native_arch()}."),
        (lambda manifest: manifest.update(mpy="7.0"), "the .mpy version 7.0"),
        (lambda manifest: manifest["files"][5].update(sha256="00"), "damaged at /lib/"),
        (lambda manifest: manifest["files"][5].update(size=1), "damaged at /lib/"),
        (lambda manifest: manifest.update(files=5), "is not an update"),
        (lambda manifest: manifest.update(files=[None]), "is not an update"),
        (lambda manifest: manifest.pop("archs"), "is not an update"),
        (lambda manifest: manifest.update(remove="/x"), "is not an update"),
        (lambda manifest: manifest.update(remove=["/config.json"]), "changes /config.json,"),
        (lambda manifest: manifest.update(remove=["/boot.py"]), "changes /boot.py,"),
        (
            lambda manifest: manifest["files"][5].update(path="/certs/a.der"),
            "changes /certs/a.der,",
        ),
        (lambda manifest: manifest["files"][5].update(path="/www/../x"), "changes /www/../x,"),
    ],
    ids=[
        *("format", "layout", "cpu", "mpy", "hash", "size", "files", "file", "archs", "remove"),
        *("settings", "boot", "certificate", "dots"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_reason(
    page_of_shared, shared, update_file, tmp_path, change, text
):
    file = tmp_path / "changed.tar"
    file.write_bytes(update_file.read_bytes())
    choose(page_of_shared, changed(file, change))
    expect(status(page_of_shared)).to_contain_text(text)
    expect(page_of_shared.get_by_role("button", name="Install")).to_be_hidden()
    assert not [path for path in shared.files() if path.startswith("/update")]


@pytest.mark.parametrize("size", [0, 20, 5000, 60_000])
def test_a_file_that_is_cut_or_no_update_is_refused(page_of_shared, update_file, tmp_path, size):
    file = tmp_path / "cut.tar"
    file.write_bytes(update_file.read_bytes()[:size] if size != 20 else b"x" * 2000)
    choose(page_of_shared, file)
    expect(status(page_of_shared)).to_contain_text(re.compile("is not an update|is damaged at /"))


# --- interrupted


@pytest.fixture
def interrupted(open_page, board, project, build):
    """interrupted(event, at) -> a page whose update event() has interrupted at that message.

    The board still has its files.
    """

    def start(event, at=12):
        before = firmware_of(board)
        append(project, DEMO, "\nNEW = '%s'\n" % ("x" * 30_000))
        page = open_page(board)
        count = 0

        def route(socket):
            server = socket.connect_to_server()

            def forward(message):
                nonlocal count
                if isinstance(message, bytes):
                    count += 1
                    if count == at:
                        event(socket, server)
                server.send(message)

            socket.on_message(forward)

        page.route_web_socket(re.compile("/update$"), route)
        install(tool(page), build())
        expect(status(page)).to_contain_text("Nothing is changed: the board runs its old version.")
        board.wait_ready()
        assert firmware_of(board) == before
        assert "todo" not in state(board)
        return page

    return start


def test_a_cut_link_changes_nothing_and_the_update_can_be_repeated(interrupted):
    page = interrupted(lambda socket, server: socket.close(code=3001))
    expect(status(page)).to_contain_text("The connection was lost.")
    page.unroute_all()
    page.reload()
    tool(page)


def test_a_restart_while_files_are_sent_changes_nothing(interrupted, board):
    page = interrupted(lambda socket, server: board.power_cycle())
    expect(status(page)).to_contain_text("The connection was lost.")


def test_a_second_sender_is_named(interrupted, board):
    clients = []

    def take_over(socket, server):
        clients.append(raw(board))
        begin(clients[0])

    page = interrupted(take_over)
    expect(status(page)).to_contain_text("another client has taken over the update")
    clients[0].close()


def test_a_full_flash_is_reported_before_anything_is_sent(open_page, new_board, project, build):
    path = project / "lib" / "admin" / "update.py"
    text = path.read_text()
    path.write_text(text.replace("return values[0] * values[3]", "return 40000"))
    with new_board(config=CONFIG) as board:
        board.wait_ready()
        path.write_text(text)
        page = tool(open_page(board))
        install(page, build())
        expect(status(page)).to_contain_text("The board's flash is too full")
        expect(status(page)).to_contain_text("7 KB are free")


def test_an_update_changed_on_its_way_is_refused(open_page, board, project, build, unwanted):
    before = firmware_of(board)
    append(project, DEMO, "\nNEW = 1\n")
    page = open_page(board)

    def route(socket):
        server = socket.connect_to_server()
        spare = lambda message: message.replace("extra", "chat")  # noqa: E731
        socket.on_message(
            lambda message: server.send(
                spare(message) if isinstance(message, str) and "remove" in message else message
            )
        )

    page.route_web_socket(re.compile("/update$"), route)
    install(tool(page), build())
    expect(status(page)).to_contain_text("the HMAC is wrong")
    assert firmware_of(board) == before


# --- TLS


def test_where_tls_is_required_the_page_links_to_it_and_updates_there(
    open_page, new_board, project, build, certs
):
    port = free_port()
    with new_board(
        config={**CONFIG, "tls": {"port": port}}, certs=certs, https_port=port
    ) as board:
        board.wait_ready()
        assert board.serves_https(10)
        page = open_page(board, ignore_https_errors=True)
        sent = []
        page.on("request", lambda request: sent.append(request.headers))
        page.reload()  # asks again, and is now observed
        link = page.get_by_role("alert").get_by_role("link")
        expect(link).to_have_attribute("href", f"https://127.0.0.1:{port}/settings.html")
        assert not [headers for headers in sent if "authorization" in headers]
        link.click()
        append(project, DEMO, "\nNEW = 1\n")
        install(tool(page), build())
        expect(status(page)).to_contain_text("is installed and confirmed")


# --- the page


@pytest.mark.parametrize("width", [320, 1280])
def test_the_tool_is_accessible_and_fits(open_page, shared, update_file, tmp_path, width):
    page = tool(open_page(shared, viewport={"width": width, "height": 800}))
    for file in (
        update_file,
        changed(update_file, lambda manifest: manifest.update(version="9.9")),
    ):
        choose(page, file)
        expect(status(page)).to_contain_text(re.compile("nothing to install|files? to send"))
        assert_accessible(page)
    assert width_of(page) <= width
