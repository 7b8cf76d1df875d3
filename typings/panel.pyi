from collections.abc import Callable, Sequence
from typing import Any, overload

class Panel:
    """Widgets on the board's page. Each method returns the widget's id.

    `set` is needed, and `get` is not: two overloads say that.
    """

    def value(
        self,
        label: str,
        get: Callable[[], Any] | tuple[Any, ...],
        unit: str = "",
        **options: Any,
    ) -> int: ...
    @overload
    def switch(
        self,
        label: str,
        get: Callable[[], Any] | tuple[Any, ...] | None = None,
        *,
        set: Callable[[bool], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    @overload
    def switch(
        self,
        label: str,
        get: Callable[[], Any] | tuple[Any, ...] | None,
        set: Callable[[bool], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    @overload
    def slider(
        self,
        label: str,
        get: Callable[[], Any] | tuple[Any, ...] | None = None,
        *,
        set: Callable[[float], object] | tuple[Any, ...],
        minimum: float = 0,
        maximum: float = 100,
        step: float = 1,
        **options: Any,
    ) -> int: ...
    @overload
    def slider(
        self,
        label: str,
        get: Callable[[], Any] | tuple[Any, ...] | None,
        set: Callable[[float], object] | tuple[Any, ...],
        minimum: float = 0,
        maximum: float = 100,
        step: float = 1,
        **options: Any,
    ) -> int: ...
    def button(
        self, label: str, function: Callable[[], object] | tuple[Any, ...], **options: Any
    ) -> int: ...
    @overload
    def select(
        self,
        label: str,
        choices: Sequence[str],
        get: Callable[[], str] | tuple[Any, ...] | None = None,
        *,
        set: Callable[[str], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    @overload
    def select(
        self,
        label: str,
        choices: Sequence[str],
        get: Callable[[], str] | tuple[Any, ...] | None,
        set: Callable[[str], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    @overload
    def text(
        self,
        label: str,
        get: Callable[[], str] | tuple[Any, ...] | None = None,
        *,
        set: Callable[[str], object] | tuple[Any, ...],
        size: int = 100,
        **options: Any,
    ) -> int: ...
    @overload
    def text(
        self,
        label: str,
        get: Callable[[], str] | tuple[Any, ...] | None,
        set: Callable[[str], object] | tuple[Any, ...],
        size: int = 100,
        **options: Any,
    ) -> int: ...
    @overload
    def colour(
        self,
        label: str,
        get: Callable[[], tuple[int, int, int]] | tuple[Any, ...] | None = None,
        *,
        set: Callable[[tuple[int, int, int]], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    @overload
    def colour(
        self,
        label: str,
        get: Callable[[], tuple[int, int, int]] | tuple[Any, ...] | None,
        set: Callable[[tuple[int, int, int]], object] | tuple[Any, ...],
        **options: Any,
    ) -> int: ...
    def custom(self, kind: str, label: str, endpoint: Any, **options: Any) -> int: ...
    def load(self, module: str, *args: Any) -> None: ...
    def describe(self) -> list[dict[str, Any]]: ...
    def values(self) -> list[Any]: ...
    def command(self, id: int, value: Any = None) -> None: ...
