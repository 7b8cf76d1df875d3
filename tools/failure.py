"""Failures of a command: one line for the user, without a traceback."""

from __future__ import annotations

import re
import sys

import click

from tools import IS_CHECKOUT, ROOT

_COMMANDS = (
    "new run certs boards flash image config deploy join monitor repl reset backup erase client "
    "fleet build site romfs package"
)
_MAKE = re.compile(rf"\bmake (?=({_COMMANDS.replace(' ', '|')})\b)")
_VARIABLE = re.compile(r"\b([A-Z]{3,}(?:_PORT)?)=(\.\.\.|\S*?)(?=[`,;:).]*(?:\s|$))")
_OPTIONS = {
    **dict.fromkeys(("APP", "CERTS", "CHIP", "CONFIG", "FIRMWARE", "HEAP", "HOST", "HTTP_PORT")),
    **dict.fromkeys(("HTTPS_PORT", "IMAGE", "KEY", "MAIN", "NAMES", "PORT", "SOURCE", "WORD")),
    "FLASH": "--flash-size",
}
_PAGE = re.compile(r"(?<!\]\()\bdocs/([a-z-]+)\.md(?:#[a-z-]+)?")  # not the target of a link
_FLAGS = ("CERTS", "IMAGE", "SOURCE")


def spelled(text: str, for_make: bool = IS_CHECKOUT) -> str:
    """Return a text with commands as this installation has them.

    Texts are written for a checkout: "make new APP=mine.py". The installed package has the command
    "esp32-ws new mine.py", options in place of variables, and a command that shows a page.
    """
    if for_make:
        return text
    text = _VARIABLE.sub(_option, _MAKE.sub("esp32-ws ", text))
    text = _PAGE.sub(r"`esp32-ws manual \1`", text)
    return re.sub(r"\b(esp32-ws new) --app ", r"\1 ", text)


def _option(found: re.Match) -> str:
    name, value = found.groups()
    if name not in _OPTIONS:
        return found[0]
    option = _OPTIONS[name] or "--" + name.lower().replace("_", "-")
    is_flag = not value or (value == "1" and name in _FLAGS)
    return option if is_flag else f"{option} {value}"


class Failure(click.ClickException):
    """A command cannot do its work. The message says what happened and what to do about it."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has ended a command in the middle. The message says how to repair or continue it.

    It is no Failure, because commands try again after some of these.
    """


def variable_of(command: str, option: str) -> str:
    """Return the variable of the Makefile that a command gets an option from, or ""."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    for name, value in re.findall(r"^(\w+) = (.*)$", text, re.M):
        if "$(call " in value:
            text = text.replace(f"$({name})", value)
    option = re.escape(option.lstrip("-"))
    uses = rf'\$\(call (?:opt|flag),(\w+),{option}\)|--{option} "?\$\((\w+)\)'
    for line in re.findall(rf"\$\(TOOLS\) {command}\b(?!-).*", text):
        found = re.search(uses, line)
        if found:
            return found[1] or found[2]
    return ""


def with_variable(error: click.ClickException) -> str:
    """Return a wrong use of a command with the variable that `make` got, or "" if it has none."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if not context or not parameter or not parameter.opts or not IS_CHECKOUT:
        return ""
    option = parameter.opts[0]
    name = variable_of(context.info_name, option)
    hint = parameter.get_error_hint(context)
    if not name:
        return ""
    return f"{context.info_name}: {error.format_message().replace(hint, f'{name}= ({option})')}"


def warn(text: str) -> None:
    """Print a warning to standard error, in the right order with the other output."""
    sys.stdout.flush()
    print(f"warning: {spelled(text)}", file=sys.stderr, flush=True)
