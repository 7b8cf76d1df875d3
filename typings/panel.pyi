from collections.abc import Callable, Sequence
from typing import Any

class Panel:
    """Widgets on the board's page. Each method returns the widget's id."""

    def value(self, label: str, get: Callable[[], Any], unit: str = "", **options: Any) -> int: ...
    def switch(
        self,
        label: str,
        get: Callable[[], Any] | None = None,
        set: Callable[[bool], object] | None = None,
        **options: Any,
    ) -> int: ...
    def slider(
        self,
        label: str,
        get: Callable[[], Any] | None = None,
        set: Callable[[float], object] | None = None,
        minimum: float = 0,
        maximum: float = 100,
        step: float = 1,
        **options: Any,
    ) -> int: ...
    def button(self, label: str, function: Callable[[], object], **options: Any) -> int: ...
    def select(
        self,
        label: str,
        choices: Sequence[str],
        get: Callable[[], str] | None = None,
        set: Callable[[str], object] | None = None,
        **options: Any,
    ) -> int: ...
    def text(
        self,
        label: str,
        get: Callable[[], str] | None = None,
        set: Callable[[str], object] | None = None,
        size: int = 100,
        **options: Any,
    ) -> int: ...
    def colour(
        self,
        label: str,
        get: Callable[[], tuple[int, int, int]] | None = None,
        set: Callable[[tuple[int, int, int]], object] | None = None,
        **options: Any,
    ) -> int: ...
    def custom(self, kind: str, label: str, endpoint: Any, **options: Any) -> int: ...
    def load(self, module: str, *args: Any) -> None: ...
    def describe(self) -> list[dict[str, Any]]: ...
    def values(self) -> list[Any]: ...
    def command(self, id: int, value: Any = None) -> None: ...
