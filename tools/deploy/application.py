"""Find the files of an application, which `make run` and `make deploy` put into /app on a board.

APP is a Python file, or a folder with app.py or __init__.py:

- A file becomes /app/app.py. The modules beside it that it imports come along, and the folder www/
  beside it, unless that has the firmware's pages.
- A folder's content becomes that of /app, except hidden and compiled files.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from tools import ROOT
from tools.failure import Failure

from .files import APPLICATION, PAGES, is_left_out

FOLDER = f"/{APPLICATION}/"
NONE = "demo"  # APP=demo: no application, but the demo
_ENTRIES = ("app.py", "__init__.py")
# The board starts one of these. One that was copied by hand would be in the way of another one.
ON_BOARD = frozenset(FOLDER + name for entry in _ENTRIES for name in (entry, entry[:-2] + "mpy"))


@dataclass(frozen=True)
class Application:
    """An application on this computer.

    files: {path on the board: file here}, none for the demo.
    """

    files: dict[str, Path] = field(default_factory=dict)

    def source(self, path: str) -> Path | None:
        """Return the file here of a path on the board, such as "app/app.mpy"."""
        name = "/" + path.removeprefix("/")
        return self.files.get(name.removesuffix(".mpy") + ".py" if ".mpy" in name else name)


def find(path: Path, root: Path = ROOT) -> Application:
    """Return the application at a path.

    Raises Failure if there is none, if it has no setup(), if it does not parse, if a module's name
    is taken by the firmware or MicroPython, or if a link in www/ leads out of it.
    """
    if str(path) == NONE:
        return Application()
    if path.is_dir():
        entry, files = _folder(path)
    elif path.is_file() and path.suffix == ".py":
        entry, files = path, _file(path, root)
    else:
        raise Failure(f"APP={path} {_not_found(path)}")
    taken = rules(root).is_taken
    for name, file in files.items():
        if taken(name):
            raise Failure(
                f"{file}: its name is that of a module of the firmware or of MicroPython, which "
                "one of the two would hide: rename it"
            )
    _check_setup(entry)
    return Application({FOLDER + name: file for name, file in files.items()})


def _not_found(path: Path) -> str:
    """Return why a path is not an application, and what to do."""
    if path.is_file():
        return "is neither a Python file nor a folder"
    near = path.parent.glob("*") if path.parent.is_dir() else ()
    names = [one.name for one in near if one.suffix == ".py" or (one / _ENTRIES[0]).is_file()]
    close = get_close_matches(path.name, names, 1, 0.7)
    close += [name for name in names if name == path.name + ".py"]
    if close:
        return f"does not exist; did you mean APP={path.with_name(close[0])}?"
    if path.suffix == ".py":
        return f"does not exist; `make new APP={path}` writes a template"
    return "does not exist: give a Python file, or a folder with app.py"


def _folder(folder: Path) -> tuple[Path, dict[str, Path]]:
    """Return (the main module, {path below /app: file here}) of an application in a folder."""
    for name in _ENTRIES:
        if (folder / name).is_file():
            return folder / name, dict(_inside(folder, folder))
    raise Failure(f"APP={folder} has neither {' nor '.join(_ENTRIES)}")


def _inside(folder: Path, top: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path below `top`, file) of each file in a folder that belongs on a board."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(top)
        if not file.is_file() or is_left_out(file.relative_to(folder)):
            continue
        if name.parts[0] == PAGES and not file.resolve().is_relative_to((top / PAGES).resolve()):
            raise Failure(
                f"{file} is a link that leads out of {PAGES}/, so the board would publish its "
                "target. Replace it by a copy, or remove it"
            )
        yield name.as_posix(), file


def _file(path: Path, root: Path) -> dict[str, Path]:
    """Return the files of an application in one file, by their paths below /app."""
    files, queue = {_ENTRIES[0]: path}, [path]
    while queue:
        for name, file in _imported(queue.pop(), path.parent):
            if name == _ENTRIES[0]:
                raise Failure(f"{file} would replace {path} on the board: rename it")
            if name not in files and file != path:
                files[name] = file
                queue.append(file)
    pages = path.parent / PAGES
    if pages.is_dir() and pages.resolve() != (root / PAGES).resolve():
        files.update(_inside(pages, path.parent))
    return files


def _imported(module: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path below /app, file) of each module in `folder` that a module imports."""
    for name in sorted(_names(module)):
        if (folder / f"{name}.py").is_file():
            yield f"{name}.py", folder / f"{name}.py"
        elif (folder / name / "__init__.py").is_file():
            yield from _inside(folder / name, folder)


def _names(module: Path) -> set[str]:
    """Return the first part of each name that a module imports."""
    found: set[str] = set()
    for node in ast.walk(parsed(module)) if module.suffix == ".py" else ():
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update([node.module] if node.module else [alias.name for alias in node.names])
    return {name.split(".")[0] for name in found}


def parsed(file: Path) -> ast.Module:
    """Return the syntax tree of a file. Raises Failure if there is none."""
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Failure(f"{file}:{line}: {getattr(error, 'msg', error)}") from None
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from None


def _check_setup(entry: Path) -> None:
    for node in parsed(entry).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "setup":
            if not (node.args.args or node.args.posonlyargs or node.args.vararg):
                raise Failure(
                    f"{entry}:{node.lineno}: setup() is called with the board: setup(board)"
                )
            return
        if isinstance(node, ast.ImportFrom) and any(
            "setup" in (alias.asname or alias.name, "*"[: alias.name == "*"])
            for alias in node.names
        ):
            return
    raise Failure(
        f"{entry} has no function setup(board), with which an application begins; `make new "
        "APP=file.py` writes a template"
    )


def rules(root: Path) -> ModuleType:
    """Return the board's own rules for names, which also run here."""
    spec = importlib.util.spec_from_file_location("names", root / "lib" / "admin" / "names.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
