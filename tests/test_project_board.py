"""What lands on a board is complete, and hangs together as docs/design.md says."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "lib"
LIBRARY = LIB / "wsserver"


def python_files(folder):
    return {path.relative_to(LIB).as_posix() for path in folder.rglob("*.py")}


# --- what gets installed


def test_package_json_installs_every_file_of_the_library():
    package = json.loads((ROOT / "package.json").read_text())
    assert {target for target, _ in package["urls"]} == python_files(LIBRARY)


def test_package_json_names_each_file_once_and_where_it_is():
    package = json.loads((ROOT / "package.json").read_text())
    assert [source for target, source in package["urls"] if source != f"lib/{target}"] == []
    assert len({source for _, source in package["urls"]}) == len(package["urls"])


@pytest.fixture
def frozen_files(monkeypatch):
    """What firmware/manifest.py freezes, found out by running it with its functions replaced."""
    manifest = ROOT / "firmware" / "manifest.py"
    frozen = set()

    def package(name, base_path="."):
        found = python_files((manifest.parent / base_path / name).resolve())
        assert found, f"package {name!r} is not in {base_path}"
        frozen.update(found)

    def module(name, base_path="."):
        file = (manifest.parent / base_path / name).resolve()
        assert file.is_file(), f"module {name!r} is not in {base_path}"
        frozen.add(file.relative_to(LIB).as_posix())

    monkeypatch.chdir(manifest.parent)  # as MicroPython's build does
    names = {"package": package, "module": module, "include": lambda name: None}
    exec(compile(manifest.read_text(), str(manifest), "exec"), names)
    return frozen


def test_the_manifest_freezes_everything_in_lib(frozen_files):
    assert frozen_files == python_files(LIB)


# --- how it hangs together

# What the library may use: in every board's firmware from MicroPython 1.22 on.
MICROPYTHON = {
    *("array", "binascii", "collections", "errno", "gc", "hashlib", "io", "json", "micropython"),
    *("os", "select", "socket", "struct", "sys", "time", "esp32", "deflate"),
}

# The direction of imports is one way: each may import only those before it (docs/design.md).
ORDER = [
    *("log", "lazy", "heap"),
    *("core", "core.portable", "core.native", "core.frames", "core.buffers", "core.decoder"),
    *("core.protocol", "http", "http.request", "http.handshake", "http.routes", "http.responses"),
    *("http.static", "http.auth", "http.ratelimit", "http.connection"),
    *("tls", "keepalive", "setup", "acceptor", "timers", "server", "ondemand", "__init__"),
]
# lazy.route and lazy.LazyEndpoint are loaded when a program uses them.
UPWARDS = {("lazy", "ondemand")}

# These never see a socket, a clock or the terminal, so that they can be tested on their own.
PURE = [name for name in ORDER if name.startswith("core.")]
PURE += ["http.request", "http.handshake", "http.routes", "http.responses"]


def tree_of(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def name_of(file):
    """A module's name within the library: "core.frames", "core", "__init__"."""
    name = file.relative_to(LIBRARY).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def imports_of(file):
    """The modules that a file imports anywhere in it: the library's, those that it names to `load`
    and `call` included, and all others.
    """
    package = ["wsserver", *file.relative_to(LIBRARY).parts[:-1]]
    own, others = set(), set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            others.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            own.add(".".join([*base, *(node.module or node.names[0].name).split(".")][1:]))
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("load", "call"):
            name = node.args[0]
            if isinstance(name, ast.Constant):
                own.add(name.value.partition(".")[2])
    return own, others


modules = pytest.mark.parametrize("file", sorted(LIBRARY.rglob("*.py")), ids=name_of)


@modules
def test_the_library_imports_nothing_but_micropythons_own_modules(file):
    assert imports_of(file)[1] - MICROPYTHON == set()


@modules
def test_a_module_of_the_library_imports_only_those_below_it(file):
    name = name_of(file)
    assert name in ORDER, f"{file.name} is new: give it its place in ORDER"
    below = set(ORDER[: ORDER.index(name)])
    assert {
        found for found in imports_of(file)[0] - below if (name, found) not in UPWARDS
    } == set()


@pytest.mark.parametrize("name", PURE)
def test_the_core_touches_neither_sockets_nor_clocks_nor_the_terminal(name):
    file = LIBRARY / (name.replace(".", "/") + ".py")
    called = [node.func for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)]
    names = {function.id for function in called if isinstance(function, ast.Name)}
    assert imports_of(file)[1] & {"socket", "select", "time", "os"} == set()
    assert names & {"print", "open", "input"} == set()


# Only these may change what is loaded and when garbage is collected; the other packages follow.
LAZY = {"sys.modules", "gc.threshold", "__import__"}


@modules
def test_lazy_loading_is_done_in_one_module_of_the_library(file):
    nodes = [
        node for node in ast.walk(tree_of(file)) if isinstance(node, (ast.Attribute, ast.Name))
    ]
    assert name_of(file) == "lazy" or {ast.unparse(node) for node in nodes} & LAZY == set()


PROGRAMS = [path for path in (ROOT / "boot.py", ROOT / "main.py") if path.exists()]
board_files = pytest.mark.parametrize(
    "file",
    [*PROGRAMS, *sorted(LIB.rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)


@board_files
def test_the_boards_code_uses_no_syntax_that_is_kept_off_the_board(file):
    kept_off = (ast.NamedExpr, ast.Match)
    assert [node.lineno for node in ast.walk(tree_of(file)) if isinstance(node, kept_off)] == []


@board_files
def test_the_boards_code_compares_errno_with_names_because_numbers_differ_between_ports(file):
    comparisons = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Compare)]
    assert [node.lineno for node in comparisons if compares_errno_with_number(node)] == []


def compares_errno_with_number(comparison):
    leaves = [leaf for side in ast.iter_child_nodes(comparison) for leaf in ast.walk(side)]
    names = {leaf.attr for leaf in leaves if isinstance(leaf, ast.Attribute)}
    values = [leaf.value for leaf in leaves if isinstance(leaf, ast.Constant)]
    return "errno" in names and any(isinstance(value, int) for value in values)


def test_a_number_compared_with_errno_would_be_found():
    for code in ("error.errno == 11", "error.errno in (11, 12)", "e.errno != 11"):
        assert compares_errno_with_number(ast.parse(code).body[0].value)
    assert not compares_errno_with_number(ast.parse("e.errno == errno.EAGAIN").body[0].value)
