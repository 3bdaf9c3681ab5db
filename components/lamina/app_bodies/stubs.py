"""What becomes of a future that travels to a worker."""

from typing import Any, NoReturn

from lamina.vocabulary import WaitInsideTaskError

__all__ = ["FutureStub"]


class FutureStub:
    """Stands for a future in another process, where nobody can wait for it."""

    __slots__ = ("described",)

    def __init__(self, described: str) -> None:
        self.described = described

    def __repr__(self) -> str:
        return f"<stub of {self.described}>"

    def __reduce__(self) -> tuple[type["FutureStub"], tuple[str]]:
        return FutureStub, (self.described,)

    def result(self, timeout: float | None = None) -> NoReturn:
        """Refuse.

        Raises:
            WaitInsideTaskError: Always; pass the future as an argument, or use a join_app.
        """
        raise WaitInsideTaskError(self.described)

    def exception(self, timeout: float | None = None) -> NoReturn:
        """Refuse.

        Raises:
            WaitInsideTaskError: Always; pass the future as an argument, or use a join_app.
        """
        raise WaitInsideTaskError(self.described)

    def __await__(self) -> Any:
        raise WaitInsideTaskError(self.described)

    def __getitem__(self, key: object) -> NoReturn:
        raise WaitInsideTaskError(self.described)

    def __getattr__(self, name: str) -> NoReturn:
        # ``done``, ``add_done_callback``, or an attribute of the result: nobody here knows.
        if name.startswith("__"):
            raise AttributeError(name)  # asked by pickle, copy and the like, which can do without
        raise WaitInsideTaskError(self.described)
