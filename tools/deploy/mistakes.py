"""Find mistakes in a program for a board that MicroPython does not report, or reports late.

Only what is surely wrong is found: each finding is a warning, and the program runs nevertheless.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from tools import ROOT

# Functions of asyncio that have to be awaited, and methods of the library that need not be.
_AWAITED = "sleep", "sleep_ms", "wait_for", "wait_for_ms", "gather", "open_connection"
_AT_ONCE = "send", "broadcast", "close", "ping", "pong", "join", "leave", "every", "after"
# Methods that take a function, and its position.
_TAKE = {"every": 1, "after": 1, "call_soon": 0, "add_reader": 1, "on_wait": 0, "value": 1}
_TAKE["button"] = 1
_FIXED = ("max_size", "write_limit")  # attributes of a server that are read only
_SLOW = 0.2  # seconds that the server logs as slow
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_LEAVES = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
_ENDS = (ast.Break, ast.Return, ast.Raise)

Finding = tuple[int, str]


def find(tree: ast.Module, is_main: bool = False) -> list[Finding]:
    """Return (line, what is wrong and what to do) for each mistake.

    is_main: the program is a main.py, and no module of an application.
    """
    names = _Names(tree)
    found = list(_in_program(tree) if is_main else _in_application(tree))
    for node, function in _walk(tree, None):
        if isinstance(node, ast.Expr):
            found.extend(_in_statement(node, function, names))
        elif isinstance(node, ast.Await):
            found.extend(_in_await(node, names))
        elif isinstance(node, ast.Call):
            found.extend(_in_call(node, function, names))
        elif isinstance(node, ast.Assign):
            found.extend(_in_assignment(node, names))
        elif isinstance(node, ast.While):
            found.extend(_in_loop(node, function))
        elif isinstance(node, ast.FunctionDef):
            found.extend(_in_function(node))
    return sorted(set(found))


class _Names:
    """What a program defines: its functions, by name, and the attributes that it reads."""

    def __init__(self, tree: ast.Module):
        self.functions: dict[str, list[_Function]] = {}
        self.read: set[str] = set()
        self.imported: set[str] = set()  # of asyncio, by "from asyncio import sleep"
        for node in ast.walk(tree):
            if isinstance(node, _FUNCTION):
                self.functions.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                self.read.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and node.module in ("asyncio", "uasyncio"):
                self.imported.update(alias.asname or alias.name for alias in node.names)

    def called(self, call: ast.Call) -> list[_Function]:
        """Return the functions that a call may mean, of f() and self.f() only."""
        function = call.func
        if isinstance(function, ast.Name):
            return self.functions.get(function.id, [])
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "self":
            return self.functions.get(function.attr, [])
        return []


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
    return function is not None and (
        function.name == "setup" or function.name.startswith("on_") or _is_route(function)
    )


# --- the program as a whole


def _calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    """Return the calls of functions or methods with one of these names."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(_is(node.func, name) for name in names)
    ]


def _in_program(tree: ast.Module) -> Iterator[Finding]:
    servers = _calls(tree, "Server")
    if servers and not _calls(tree, "run", "serve", "step"):
        line = servers[0].lineno
        yield line, "no server.run() follows, so the program ends at once and serves nothing"
    for node in tree.body:
        if isinstance(node, _FUNCTION) and node.name == "setup" and not servers:
            text = "setup(board) is the beginning of an application, which APP= runs, not MAIN="
            yield node.lineno, text


def _in_application(tree: ast.Module) -> Iterator[Finding]:
    for call in _calls(tree, "Server"):
        yield call.lineno, "nothing runs this server: use board.server, which setup(board) gets"
    for call in _calls(tree, "run"):
        if ast.unparse(call.func) in ("asyncio.run", "uasyncio.run"):
            text = "asyncio.run() does not return, and the board cannot start: make setup() async"
            yield call.lineno, text


# --- statements


def _in_statement(node: ast.Expr, function: _Function | None, names: _Names) -> Iterator[Finding]:
    value = node.value
    if isinstance(value, ast.Call):
        text = _not_awaited(value, names)
        if text:
            if not isinstance(function, ast.AsyncFunctionDef):
                text += ", in an async function"
            yield node.lineno, text
    elif isinstance(value, ast.Attribute):
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


def _not_awaited(call: ast.Call, names: _Names) -> str:
    """Return what is wrong with a call whose result is not used, or ""."""
    function = call.func
    written = ast.unparse(function)
    owner, _, name = written.rpartition(".")
    of_asyncio = owner in ("asyncio", "uasyncio") and name in _AWAITED
    if of_asyncio or (not owner and name in names.imported and name in _AWAITED):
        return f"{written}() does nothing without `await`: write `await {written}(...)`"
    if isinstance(function, ast.Attribute) and name == "drain" and _is(function.value, "client"):
        return f"{written}() does not wait without `await`: write `await {written}()`"
    meant = names.called(call)
    if meant and all(isinstance(one, ast.AsyncFunctionDef) for one in meant):
        return f"{written}() is async, and does not run: write `await {written}(...)`"
    return ""


def _in_await(node: ast.Await, names: _Names) -> Iterator[Finding]:
    call = node.value
    if not isinstance(call, ast.Call):
        return
    written = ast.unparse(call.func)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _AT_ONCE:
        if _is(call.func.value, "client") or _is(call.func.value, "server"):
            yield node.lineno, f"{written}() is not async and returns at once: remove `await`"
        return
    meant = names.called(call)
    if meant and not any(isinstance(one, ast.AsyncFunctionDef) or _returns(one) for one in meant):
        text = f"{written}() is not async: remove `await`, or write `async def {meant[0].name}`"
        yield node.lineno, text


def _returns(function: _Function) -> bool:
    """Return whether a function has a result, which may be a coroutine."""
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
        if written == "input":
            yield node.lineno, "input() stops the server until a line comes on the serial port"
    owner, _, name = written.rpartition(".")
    if name == "create_task" and not isinstance(function, ast.AsyncFunctionDef) and function:
        text = "nothing runs this task: make the function async, or use server.call_soon(function)"
        yield node.lineno, text
    passed = [one.value for one in node.keywords if one.arg in ("get", "set", "function")]
    if name in _TAKE:
        passed += node.args[_TAKE[name] : _TAKE[name] + 1]
    for value in passed if owner.endswith(("server", "panel")) else ():
        if isinstance(value, ast.Call) and _returns_nothing(value, names):
            called = ast.unparse(value.func)
            yield value.lineno, f"{called}() is called here: pass {called}, without ()"


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
def _known(kind: str, root: Path = ROOT) -> list[str]:
    """Return the names of a class that a program may use, from lib/wsserver/errorhints.py."""
    source = (root / "lib" / "wsserver" / "errorhints.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES":
            return ast.literal_eval(node.value)[kind].split()
    return []


def _in_assignment(node: ast.Assign, names: _Names) -> Iterator[Finding]:
    for target in node.targets:
        if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
            continue
        name = target.attr
        written = ast.unparse(target.value)
        if _is(target.value, "server"):
            known = _known("Server")
            if name in _FIXED:
                text = f"{name} is read only: give it to Server(), or in config.json"
                yield node.lineno, text
        elif written == "client":
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
    inside = list(_own(node))
    if any(isinstance(one, (*_LEAVES, *_ENDS)) for one in inside):
        return
    if isinstance(function, ast.AsyncFunctionDef):
        text = "this loop never waits, so the server stops: `await asyncio.sleep(...)` in it"
        yield node.lineno, text
    elif _is_called_by_server(function) and not any(
        isinstance(one, ast.Try)
        for one in _own(function)  # an exception may end it
    ):
        text = (
            f"{function.name}() never returns, so the server stops: use server.every(ms, function)"
        )
        yield node.lineno, text


def _in_function(node: ast.FunctionDef) -> Iterator[Finding]:
    if not _is_called_by_server(node):
        return
    values = [one for one in _own(node) if isinstance(one, ast.Yield) and one.value]
    if not values:
        return
    if _is_route(node):
        text = f"{node.name}() cannot yield: return Response(f()), where f() is the generator"
    else:
        text = f"{node.name}() cannot yield: nothing takes the values"
    yield values[0].lineno, text
