"""The layers of lib/: who may import what, and who may use a private name (docs/design.md)."""

import ast
import json
import re
from functools import cache

import pytest

from tools import ROOT

pytestmark = pytest.mark.host

LIB = ROOT / "lib"
LIBRARY = "wsserver"

# A package may import those that are named for it, and itself.
LAYERS = {
    "wsserver": "",
    "config": "",
    "certificates": "",
    "wifi": "wsserver",
    "failsafe": "",
    "fleet": "panel wsserver",
    "admin": "application certificates config failsafe wifi wsserver",
    "panel": "wsserver",
    "demo": "panel wsserver",
    "application": "demo failsafe panel wsserver",
    "startup": "admin application certificates config demo failsafe fleet panel wifi wsserver",
}
# The modules of the library: each may import those before it, and packages stand for __init__.
ORDER = """
lazy log errornumbers nearest errorhints reports gctuning inplace core core.surrogates
core.portable core.native core.frames core.errors core.buffers ipv6 core.decoder core.protocol
http http.request http.percent http.patterns http.unusual http.routes http.responses
http.nearpaths http.cors http.ranges http.static http.arguments http.routing http.registration
http.bodies http.response http.multipart http.fields http.auth http.ratelimit http.proxies
http.refusallog http.prehandshake http.connection http.exchange http.uploads http.decision
http.events tls tlsspare gcgrowth gcsetup tlsfits eviction keepalive setup programs acceptor
timers readers waits server lazyroutes resolve clientmethods servermethods streams shutdown
eventloop coroutines workers callbacks
""".split()  # noqa: SIM905
ORDER.append("")
# lazy.route and lazy.LazyEndpoint are loaded when a program uses them.
UPWARDS = {
    ("lazy", "lazyroutes"),
    ("http.connection", "resolve"),
    ("lazyroutes", "resolve"),
    # Only for programs with async functions:
    ("server", "coroutines"),
    ("lazyroutes", "workers"),
    ("http.routes", "callbacks"),
    ("http.routes", "workers"),
    ("core.protocol", "clientmethods"),
    ("server", "servermethods"),
    ("servermethods", "coroutines"),
    ("clientmethods", "workers"),
    ("clientmethods", "streams"),
    ("streams", "coroutines"),
    ("http.connection", "http.prehandshake"),
    ("http.prehandshake", "http.decision"),
    ("http.decision", "coroutines"),
    ("server", "shutdown"),
    ("shutdown", "coroutines"),
    ("coroutines", "workers"),
    ("http.request", "http.fields"),
    ("http.request", "http.percent"),
    ("http.routing", "http.exchange"),
    ("http.routing", "http.registration"),
    ("http.exchange", "coroutines"),
    ("http.exchange", "http.uploads"),
    ("http.responses", "http.cors"),  # only for servers with origins
    # Loaded while a text is made:
    ("log", "reports"),
    ("log", "errornumbers"),
    ("http.responses", "http.nearpaths"),
    ("core.frames", "core.errors"),
}
# The library runs on every board from MicroPython 1.22 on, so it may import only these.
MICROPYTHON = {
    *("_thread", "array", "asyncio", "binascii", "collections", "deflate", "errno", "esp32"),
    *("gc", "hashlib", "io", "json", "micropython", "os", "select", "socket", "struct"),
    *("sys", "time"),
}
# These manage modules and memory while modules load.
LOADERS = {"lib/wsserver/lazy.py", "boot.py", "main.py"}


def python_files(folder):
    return sorted(folder.rglob("*.py"))


@cache
def tree_of(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def module_of(file):
    """The dotted name of a file in lib/."""
    parts = file.relative_to(LIB).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file, lazily=True):
    """The full dotted names that a file imports anywhere, or has `lazy` load by name."""
    base = module_of(file).split(".") if file.is_relative_to(LIB) else []
    if file.name != "__init__.py":
        base = base[:-1]
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) + 1 - node.level] if node.level else []
            name = ".".join([*start, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{name}.{alias.name}" if name else alias.name
                found.add(full if is_module(full) else name)
        elif (
            lazily
            and isinstance(node, ast.Call)
            and re.match(r"(lazy\.)?(load|call|route|LazyEndpoint)$", ast.unparse(node.func))
        ):
            names = [
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            full = [LIBRARY + name if name.startswith(".") else name for name in names]
            found.update(name for name in full if is_module(name))
    return found


def is_module(name):
    path = LIB / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


LIB_FILES = python_files(LIB)
BOARD_FILES = [ROOT / "boot.py", ROOT / "main.py", *LIB_FILES]


def offences(files, found_in):
    """Return what `found_in` finds in files, {path: finding}; a file without any is left out."""
    assert files
    found = {file.relative_to(ROOT).as_posix(): found_in(file) for file in files}
    return {path: finding for path, finding in found.items() if finding}


# --- what may be imported


def test_a_package_imports_only_the_layers_below_it():
    def upwards(file):
        own = module_of(file).split(".")[0]
        assert own in LAYERS, f"{own} is new: give it its place in LAYERS"
        ours = {name.split(".")[0] for name in imports_of(file) if is_module(name)}
        return ours - set(LAYERS[own].split()) - {own}

    assert offences(LIB_FILES, upwards) == {}


def test_a_module_of_the_library_imports_only_those_before_it():
    def upwards(file):
        own = module_of(file).partition(".")[2]
        assert own in ORDER, f"{own} is new: give it its place in ORDER"
        names = {name.partition(".")[2] for name in imports_of(file) if is_module(name)}
        before = ORDER[: ORDER.index(own)]
        return {name for name in names if name not in before and (own, name) not in UPWARDS}

    assert offences(python_files(LIB / LIBRARY), upwards) == {}


def test_no_module_imports_itself_through_others():
    graph = {}
    for file in LIB_FILES:
        own = module_of(file)
        names = {name for name in imports_of(file, lazily=False) if is_module(name)}
        graph[own] = names - {own, "wsserver"}
    assert cycles(graph) == []


def cycles(graph):
    """Pairs of modules that import each other, directly or not. A parent package is no import."""
    reach = {name: set(graph[name]) for name in graph}
    for middle in graph:
        for name in graph:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    return sorted((a, b) for a in graph for b in reach[a] if a < b and a in reach.get(b, ()))


def test_the_library_imports_nothing_but_micropythons_modules():
    def foreign(file):
        return {name.split(".")[0] for name in imports_of(file)} - {LIBRARY} - MICROPYTHON

    assert offences(python_files(LIB / LIBRARY), foreign) == {}


def test_the_core_uses_neither_sockets_nor_clocks_nor_the_terminal():
    def uses(file):
        called = [node.func for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)]
        names = {function.id for function in called if isinstance(function, ast.Name)}
        modules = imports_of(file) & {"socket", "select", "time", "os"}
        return modules | names & {"print", "open", "input"}

    core = [*python_files(LIB / LIBRARY / "core"), LIB / LIBRARY / "http" / "request.py"]
    assert offences(core, uses) == {}


# --- private names


def private_names(file):
    """Where a file uses another object's attribute that begins with one underscore."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "sys.implementation"):
                yield f"{node.lineno}: {owner}.{node.attr}"


def test_no_package_uses_a_private_name_of_the_library():
    def foreign(file):
        own = {
            node.name if isinstance(node, ast.FunctionDef) else node.attr
            for node in ast.walk(tree_of(file))
            if isinstance(node, (ast.FunctionDef, ast.Attribute))
            and (isinstance(node, ast.FunctionDef) or ast.unparse(node.value) == "self")
        }
        return [use for use in private_names(file) if use.rpartition(".")[2] not in own]

    others = [file for file in LIB_FILES if not file.is_relative_to(LIB / LIBRARY)]
    assert offences(others, foreign) == {}


def test_only_the_loaders_change_what_is_loaded():
    def changes(file):
        nodes = ast.walk(tree_of(file))
        used = {ast.unparse(node) for node in nodes if isinstance(node, (ast.Attribute, ast.Name))}
        return used & {"sys.modules", "gc.threshold", "__import__"}

    others = [file for file in BOARD_FILES if file.relative_to(ROOT).as_posix() not in LOADERS]
    assert offences(others, changes) == {}


# --- what is installed


def test_package_json_installs_every_file_of_the_library():
    package = json.loads((ROOT / "package.json").read_text())
    files = [*python_files(LIB / LIBRARY), *python_files(LIB / "certificates")]
    ours = {file.relative_to(LIB).as_posix() for file in files}
    assert {target for target, _ in package["urls"]} == ours


def test_package_json_names_each_file_once_and_by_its_path():
    package = json.loads((ROOT / "package.json").read_text())
    assert [source for target, source in package["urls"] if source != f"lib/{target}"] == []
    assert len({source for _, source in package["urls"]}) == len(package["urls"])


def test_the_manifest_freezes_everything_in_lib(monkeypatch):
    """It is run as MicroPython's build does, with its functions replaced."""
    manifest = ROOT / "firmware" / "manifest.py"
    frozen = set()

    def package(name, base_path="."):
        found = python_files((manifest.parent / base_path / name).resolve())
        assert found, f"package {name!r} is not in {base_path}"
        frozen.update(found)

    def module(name, base_path="."):
        frozen.add((manifest.parent / base_path / name).resolve(strict=True))

    monkeypatch.chdir(manifest.parent)
    names = {"package": package, "module": module, "include": lambda name: None}
    exec(compile(manifest.read_text(), str(manifest), "exec"), names)
    assert frozen == set(LIB_FILES)


# --- syntax


def test_board_code_uses_no_syntax_that_micropython_lacks_or_slows_down():
    def lines(file):
        nodes = ast.walk(tree_of(file))
        return [node.lineno for node in nodes if isinstance(node, (ast.NamedExpr, ast.Match))]

    assert offences(BOARD_FILES, lines) == {}


def test_board_code_compares_errno_with_names_because_numbers_differ():
    def lines(file):
        comparisons = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Compare)]
        return [node.lineno for node in comparisons if compares_errno_with_number(node)]

    assert offences(BOARD_FILES, lines) == {}


def compares_errno_with_number(comparison):
    leaves = [leaf for side in ast.iter_child_nodes(comparison) for leaf in ast.walk(side)]
    names = {leaf.attr for leaf in leaves if isinstance(leaf, ast.Attribute)}
    values = [leaf.value for leaf in leaves if isinstance(leaf, ast.Constant)]
    return "errno" in names and any(isinstance(value, int) for value in values)


def test_a_number_compared_with_errno_would_be_found():
    for code in ("error.errno == 11", "error.errno in (11, 12)", "e.errno != 11"):
        assert compares_errno_with_number(ast.parse(code).body[0].value)
    assert not compares_errno_with_number(ast.parse("e.errno == errno.EAGAIN").body[0].value)
