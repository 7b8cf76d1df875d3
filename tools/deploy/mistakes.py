"""Find mistakes in a program for a board that MicroPython does not report, or reports late.

Only what is surely wrong is found: each finding is a warning, and the program runs nevertheless.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache

from tools import ROOT

# Functions of asyncio that have to be awaited, and methods of the library that need not be.
_AWAITED = "sleep", "sleep_ms", "wait_for", "wait_for_ms", "gather", "open_connection"
_OF_CLIENT = "send", "close", "ping", "pong", "join", "leave"
_OF_SERVER = "broadcast", "every", "after"
_CALLBACKS = frozenset(
    f"on_{name}"
    for name in ("request", "open", "message", "chunk", "close", "ping", "pong", "drain")
)
# Methods that take a function, and its position.
_TAKE = {"every": 1, "after": 1, "call_soon": 0, "add_reader": 1, "on_wait": 0, "value": 1}
_TAKE["button"] = 1
_FIXED = ("max_size", "write_limit")  # attributes of a server that are read only
_SLOW = 0.2  # seconds that the server logs as slow
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_LEAVES = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
_ENDS = (ast.Break, ast.Return, ast.Raise)
_LAST = ("reset", "soft_reset", "deepsleep", "exit")  # functions that do not return

Finding = tuple[int, str]


def find(
    tree: ast.Module, is_main: bool = False, others: Iterable[ast.Module] = ()
) -> list[Finding]:
    """Return (line, what is wrong and what to do) for each mistake.

    is_main: the program is a main.py, and no module of an application.
    others: further modules of the application, which may read attributes that this one assigns.
    """
    names = _Names(tree)
    for other in others:
        names.read |= _Names(other).read
    if not is_main:  # a board imports the modules of an application
        tree = ast.Module([node for node in tree.body if not _is_for_main(node)], [])
    found = list(_in_program(tree, names) if is_main else _in_application(tree, names))
    for node, function in _walk(tree, None):
        if isinstance(node, ast.Expr):
            found.extend(_in_statement(node, function, names))
        elif isinstance(node, ast.Await):
            found.extend(_in_await(node, function, names))
        elif isinstance(node, ast.Call):
            found.extend(_in_call(node, function, names))
        elif isinstance(node, ast.Assign):
            found.extend(_in_assignment(node, function, names))
        elif isinstance(node, ast.While):
            found.extend(_in_loop(node, function))
        elif isinstance(node, ast.FunctionDef):
            found.extend(_in_function(node))
    return sorted(set(found))


def _is_for_main(node: ast.stmt) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


class _Names:
    """What a program defines, and the names that it uses."""

    def __init__(self, tree: ast.Module):
        self.functions: dict[str, list[_Function]] = {}
        self.read: set[str] = set()  # attributes
        self.bound: set[str] = set()  # variables, parameters, and imported names
        self.imported: dict[str, str] = {}  # by "from MODULE import NAME": the module
        self.tried: set[ast.stmt] = set()  # which may fail, to test for a feature
        self._classes: dict[ast.AST, ast.ClassDef] = {}  # the class that each node is in
        for node in ast.walk(tree):
            self._add(node)

    def _add(self, node: ast.AST) -> None:
        if isinstance(node, _FUNCTION):
            self.functions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.ClassDef):  # an inner class comes after the outer one
            self._classes.update((inside, node) for inside in ast.walk(node))
        elif isinstance(node, ast.Try):
            self.tried.update(node.body)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            given = [alias.asname or alias.name for alias in node.names]
            self.bound.update(given)
            if isinstance(node, ast.ImportFrom):
                self.imported.update(dict.fromkeys(given, node.module or ""))
        else:
            self._add_use(node)

    def _add_use(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            self.read.add(node.attr)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            self.read.add(node.target.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.read.add(node.value)  # getattr(client, "name")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self.bound.add(node.id)
        elif isinstance(node, ast.arg):
            self.bound.add(node.arg)

    def called(self, call: ast.Call) -> list[_Function]:
        """Return the functions that a call surely means, of f() and self.f() only."""
        function = call.func
        if isinstance(function, ast.Name):
            meant = self.functions.get(function.id, [])
            is_sure = function.id not in self.bound
            is_sure = is_sure and not any(self._is_method(one) for one in meant)
        elif isinstance(function, ast.Attribute) and ast.unparse(function.value) == "self":
            meant = self.functions.get(function.attr, [])
            own = self._classes.get(call)
            is_sure = own is not None and any(one in own.body for one in meant)
        else:
            return []
        # A decorator may return another function.
        return meant if is_sure and not any(one.decorator_list for one in meant) else []

    def _is_method(self, function: _Function) -> bool:
        return function in self._classes and function in self._classes[function].body

    def is_property(self, name: str) -> bool:
        return any(one.decorator_list for one in self.functions.get(name, []))

    def servers(self, tree: ast.AST) -> list[ast.Call]:
        """Return the calls of the library's Server()."""
        return [
            call
            for call in _calls(tree, "Server")
            if ast.unparse(call.func) == "wsserver.Server"
            or (isinstance(call.func, ast.Name) and self.imported.get("Server") == "wsserver")
        ]


def _walk(node: ast.AST, function: _Function | None) -> Iterator[tuple[ast.AST, _Function | None]]:
    """Yield (node, the function that it is in) of all nodes."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        inside = child if isinstance(child, _FUNCTION) else function
        yield from _walk(child, None if isinstance(child, ast.Lambda) else inside)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one, except those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*_FUNCTION, ast.Lambda)):
            yield child
            yield from _own(child)


def _is(node: ast.expr, name: str) -> bool:
    """Return whether an expression is `server`, or the attribute `server` of an object."""
    return (isinstance(node, ast.Name) and node.id == name) or (
        isinstance(node, ast.Attribute) and node.attr == name
    )


def _is_route(function: _Function) -> bool:
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr == "route"
        for one in function.decorator_list
    )


def _is_called_by_server(function: _Function | None) -> bool:
    return function is not None and (function.name in _CALLBACKS or _is_route(function))


def _is_setup(function: ast.AST | None) -> bool:
    """Return whether a node is the function setup(board), and no method or helper of this name."""
    if not isinstance(function, _FUNCTION) or function.name != "setup":
        return False
    return [one.arg for one in function.args.args] not in ([], ["self"])


def _is_client(node: ast.expr, function: _Function | None) -> bool:
    """Return whether an expression is the `client` that a callback gets."""
    return (
        isinstance(node, ast.Name)
        and node.id == "client"
        and function is not None
        and function.name in _CALLBACKS
    )


# --- the program as a whole


def _calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    """Return the calls of functions or methods with one of these names."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(_is(node.func, name) for name in names)
    ]


def _in_program(tree: ast.Module, names: _Names) -> Iterator[Finding]:
    servers = names.servers(tree)
    if servers and not names.read & {"run", "serve", "step"} and not _is_handed_over(tree, names):
        line = servers[0].lineno
        yield line, "no server.run() follows, so the program ends at once and serves nothing"
    for node in tree.body:
        if _is_setup(node) and not servers and not _calls(tree, "setup"):
            text = "setup(board) is the beginning of an application, which APP= runs, not MAIN="
            yield node.lineno, text


def _is_handed_over(tree: ast.Module, names: _Names) -> bool:
    """Return whether a function of another module gets the server, and may run it."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and names.imported.get(node.func.id, "wsserver") != "wsserver"
        and any(_is(one, "server") for one in node.args)
        for node in ast.walk(tree)
    )


def _in_application(tree: ast.Module, names: _Names) -> Iterator[Finding]:
    runs = _calls(tree, "run")
    called = {call.func for call in runs}
    is_run = names.read & {"serve", "step"} or any(
        isinstance(node, ast.Attribute) and node.attr == "run" and node not in called
        for node in ast.walk(tree)  # a thread may get server.run
    )
    for call in () if is_run else names.servers(tree):
        yield call.lineno, "nothing runs this server: use board.server, which setup(board) gets"
    for call in runs:
        if ast.unparse(call.func) in ("asyncio.run", "uasyncio.run"):
            text = "asyncio.run() does not return, and the board cannot start: make setup() async"
            yield call.lineno, text


# --- statements


def _in_statement(node: ast.Expr, function: _Function | None, names: _Names) -> Iterator[Finding]:
    value = node.value
    if isinstance(value, ast.Call):
        text = _not_awaited(value, function, names)
        if text:
            if not isinstance(function, ast.AsyncFunctionDef):
                text += ", in an async function"
            yield node.lineno, text
    elif isinstance(value, ast.Attribute):
        if node in names.tried or names.is_property(value.attr):
            return
        written = ast.unparse(value)
        yield node.lineno, f"{written} alone does nothing: to call it, write {written}()"
    elif isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.Eq):
        yield node.lineno, "== compares, and the result is not used: = assigns a value"
    elif function and (
        isinstance(value, ast.Dict)
        or _is_route(function)
        and isinstance(value, (ast.List, ast.Tuple, ast.JoinedStr, ast.Name, ast.BinOp))
    ):
        yield node.lineno, "this value is not used: is a `return` missing?"


def _not_awaited(call: ast.Call, inside: _Function | None, names: _Names) -> str:
    """Return what is wrong with a call whose result is not used, or ""."""
    function = call.func
    written = ast.unparse(function)
    owner, _, name = written.rpartition(".")
    of_asyncio = owner in ("asyncio", "uasyncio") and name in _AWAITED
    is_imported = names.imported.get(written) in ("asyncio", "uasyncio")
    if of_asyncio or (is_imported and written in _AWAITED):
        return f"{written}() does nothing without `await`: write `await {written}(...)`"
    if (
        isinstance(function, ast.Attribute)
        and name == "drain"
        and _is_client(function.value, inside)
    ):
        return f"{written}() does not wait without `await`: write `await {written}()`"
    meant = names.called(call)
    if meant and all(isinstance(one, ast.AsyncFunctionDef) for one in meant):
        return f"{written}() is async, and does not run: write `await {written}(...)`"
    return ""


def _in_await(node: ast.Await, function: _Function | None, names: _Names) -> Iterator[Finding]:
    call = node.value
    if not isinstance(call, ast.Call):
        return
    written = ast.unparse(call.func)
    if isinstance(call.func, ast.Attribute):
        owner, name = call.func.value, call.func.attr
        of_client = name in _OF_CLIENT and _is_client(owner, function)
        if of_client or (name in _OF_SERVER and _is(owner, "server")):
            yield node.lineno, f"{written}() is not async and returns at once: remove `await`"
            return
    meant = names.called(call)
    if meant and not any(isinstance(one, ast.AsyncFunctionDef) or _returns(one) for one in meant):
        text = f"{written}() is not async: remove `await`, or write `async def {meant[0].name}`"
        yield node.lineno, text


def _returns(function: _Function) -> bool:
    """Return whether a function, or one that overrides it, may have a result."""
    first, last = function.body[0], function.body[-1]
    is_empty = isinstance(first, (ast.Pass, ast.Expr)) and not isinstance(
        getattr(first, "value", None), ast.Call
    )
    if isinstance(last, ast.Raise) or (is_empty and first is last):
        return True  # an abstract method
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom))
        or (isinstance(node, ast.Return) and node.value)
        for node in _own(function)
    )


def _in_call(node: ast.Call, function: _Function | None, names: _Names) -> Iterator[Finding]:
    written = ast.unparse(node.func)
    if isinstance(function, ast.AsyncFunctionDef) or _is_called_by_server(function):
        if written in ("time.sleep", "time.sleep_ms") and _is_slow(node, written):
            text = (
                f"{written}() stops the server for all clients: `await asyncio.sleep()` does not"
            )
            if not isinstance(function, ast.AsyncFunctionDef):
                text += ", in an async function"
            yield node.lineno, text
        if written == "input" and not {"input"} & (names.bound | set(names.functions)):
            yield node.lineno, "input() stops the server until a line comes on the serial port"
    owner, _, name = written.rpartition(".")
    if name == "create_task" and isinstance(function, ast.FunctionDef) and _has_no_loop(names):
        if not (_is_called_by_server(function) or _is_setup(function)):
            return  # an async function may call it
        text = "nothing runs this task: make the function async, or use server.call_soon(function)"
        yield node.lineno, text
    passed = [one.value for one in node.keywords if one.arg in ("get", "set", "function")]
    if name in _TAKE:
        passed += node.args[_TAKE[name] : _TAKE[name] + 1]
    for value in passed if owner.endswith(("server", "panel")) else ():
        if isinstance(value, ast.Call) and _returns_nothing(value, names):
            called = ast.unparse(value.func)
            yield value.lineno, f"{called}() is called here: pass {called}, without ()"


def _has_no_loop(names: _Names) -> bool:
    """Return whether asyncio surely does not run all the time."""
    setup = names.functions.get("setup", [])
    is_sync = not any(isinstance(one, ast.AsyncFunctionDef) for one in setup)
    return is_sync and bool(setup) and "serve" not in names.read


def _is_slow(call: ast.Call, written: str) -> bool:
    """Return whether a call of time.sleep() takes long, as far as can be told."""
    value = call.args[0] if call.args else None
    if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)):
        return value.value / (1000 if written.endswith("_ms") else 1) >= _SLOW
    return False


def _returns_nothing(call: ast.Call, names: _Names) -> bool:
    """Return whether the result of a call is None, or a coroutine, for which none is accepted."""
    meant = names.called(call)
    return bool(meant) and all(
        isinstance(one, ast.AsyncFunctionDef) or not _returns(one) for one in meant
    )


# --- attributes


@cache
def _known(kind: str) -> list[str]:
    """Return the names of a class that a program may use, from lib/wsserver/errorhints.py."""
    source = (ROOT / "lib" / "wsserver" / "errorhints.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES":
            return ast.literal_eval(node.value)[kind].split()
    return []


def _in_assignment(
    node: ast.Assign, function: _Function | None, names: _Names
) -> Iterator[Finding]:
    for target in node.targets:
        if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
            continue
        name = target.attr
        written = ast.unparse(target.value)
        if _is(target.value, "server") and names.imported.get("Server", "wsserver") == "wsserver":
            known = _known("Server")
            if name in _FIXED:
                text = f"{name} is read only: give it to Server(), or in config.json"
                yield node.lineno, text
        elif _is_client(target.value, function):
            known = _known("Client")
        else:
            continue
        close = get_close_matches(name, known, 1, 0.75)
        # A program may add attributes of its own, which it then reads.
        if close and name not in known and name not in names.read:
            yield (
                node.lineno,
                f"nothing reads {written}.{name}; did you mean {written}.{close[0]}?",
            )


# --- functions


def _in_loop(node: ast.While, function: _Function | None) -> Iterator[Finding]:
    if not isinstance(node.test, ast.Constant) or not node.test.value or function is None:
        return
    if any(isinstance(one, (*_LEAVES, *_ENDS)) for one in _own(node)) or _calls(node, *_LAST):
        return
    if any(isinstance(one, ast.Try) and node in _own(one) for one in _own(function)):
        return  # an exception may end it
    if isinstance(function, ast.AsyncFunctionDef):
        text = "this loop never waits, so the server stops: `await asyncio.sleep(...)` in it"
        yield node.lineno, text
    elif _is_called_by_server(function) or _is_setup(function):
        text = (
            f"{function.name}() never returns, so the server stops: use server.every(ms, function)"
        )
        yield node.lineno, text


def _in_function(node: ast.FunctionDef) -> Iterator[Finding]:
    if not _is_called_by_server(node) and not _is_setup(node):
        return
    values = [one for one in _own(node) if isinstance(one, ast.Yield) and one.value]
    if not values:
        return
    if _is_route(node):
        text = f"{node.name}() cannot yield: return Response(f()), where f() is the generator"
    else:
        text = f"{node.name}() cannot yield: nothing takes the values"
    yield values[0].lineno, text
