"""A plugin for mypy, so that it takes the board's code as it is: written without `typing`.

- An attribute that a class or its __init__ sets to None, [], {} or () is of any type: what it will
  hold is only known later.
- A class that calls setattr(self, ...) may have any attribute.
- Pointers of viper code (ptr8, ptr32) take anything with a buffer, as viper does.

Written for mypy's version in requirements.txt: its plugin interface may change with any release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mypy.nodes import (
    AssignmentStmt,
    CallExpr,
    ClassDef,
    DictExpr,
    Expression,
    ExpressionStmt,
    ForStmt,
    FuncDef,
    ListExpr,
    MemberExpr,
    NameExpr,
    Statement,
    TupleExpr,
)
from mypy.plugin import AnalyzeTypeContext, ClassDefContext, Plugin
from mypy.types import AnyType, Type, TypeOfAny

_POINTERS = ("builtins.ptr", "builtins.ptr8", "builtins.ptr16", "builtins.ptr32")


class BoardPlugin(Plugin):
    """What mypy calls."""

    def get_customize_class_mro_hook(
        self, fullname: str
    ) -> Callable[[ClassDefContext], None] | None:
        return _loosen

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        return _any if fullname in _POINTERS else None


def _any(context: AnalyzeTypeContext) -> Type:
    return AnyType(TypeOfAny.explicit)


def _loosen(context: ClassDefContext) -> None:
    """Mark the attributes of a class whose types are not to be guessed from their first value."""
    seen = set()
    for statement in _statements(context.cls):
        if isinstance(statement, AssignmentStmt) and statement.type is None:
            name = _attribute(statement.lvalues[0])
            if name not in seen and _says_nothing(statement.rvalue):
                statement.type = statement.unanalyzed_type = AnyType(TypeOfAny.explicit)
            seen.add(name)
        elif _sets_attributes(statement):
            context.cls.info.fallback_to_any = True


def _statements(cls: ClassDef) -> Iterator[Statement]:
    """The statements of a class's body and of its __init__, down into its loops."""
    for statement in cls.defs.body:
        yield statement
        if isinstance(statement, FuncDef) and statement.name == "__init__":
            for part in statement.body.body:
                yield part
                if isinstance(part, ForStmt):
                    yield from part.body.body


def _says_nothing(value: Expression) -> bool:
    if isinstance(value, (ListExpr, TupleExpr, DictExpr)):
        return not value.items
    return isinstance(value, NameExpr) and value.name == "None"


def _attribute(target: Expression) -> str:
    """`name` of "name" in a class's body and of "self.name" in a method, else ""."""
    if isinstance(target, NameExpr):
        return target.name
    if isinstance(target, MemberExpr) and isinstance(target.expr, NameExpr):
        return target.name if target.expr.name == "self" else ""
    return ""


def _sets_attributes(statement: Statement) -> bool:
    if not isinstance(statement, ExpressionStmt) or not isinstance(statement.expr, CallExpr):
        return False
    called, arguments = statement.expr.callee, statement.expr.args
    is_setattr = isinstance(called, NameExpr) and called.name == "setattr"
    return is_setattr and isinstance(arguments[0], NameExpr) and arguments[0].name == "self"


def plugin(version: str) -> type[Plugin]:
    """Mypy's entry point."""
    return BoardPlugin
