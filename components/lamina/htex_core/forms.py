"""What travels by its digest, as one hop keeps it: functions, and shared objects.

Those that were used longest ago go first, once there are more bytes than the limit. A hop that is
to keep some until it is told otherwise says so by ``keeps``; these do not count.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable
from typing import Any, TypeAlias

from lamina.htex_core.frames import Large

__all__ = ["Form", "Forms", "Known"]

Form: TypeAlias = bytes | Large

KNOWN_LIMIT = 1024  # digests


class Known:
    """Digests of forms that somebody is known to have.

    The oldest are forgotten, so that a program which makes functions without end does not fill
    the memory of others with their names. A form that comes again is ignored, so that is no harm.
    """

    __slots__ = ("_digests",)

    def __init__(self) -> None:
        self._digests: dict[bytes, None] = {}

    def __contains__(self, digest: object) -> bool:
        return digest in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, digest: bytes) -> None:
        """It has this one."""
        if len(self._digests) >= KNOWN_LIMIT and digest not in self._digests:
            del self._digests[next(iter(self._digests))]
        self._digests[digest] = None

    def drop(self, digests: Iterable[bytes]) -> None:
        """It has these no more."""
        for digest in digests:
            self._digests.pop(digest, None)


class Forms:
    """Forms by digest, at most ``limit`` bytes of them."""

    def __init__(self, limit: int, *, keeps: bool = False) -> None:
        self._limit, self._keeps = limit, keeps
        self._forms: OrderedDict[bytes, tuple[Form, bool]] = OrderedDict()
        self._counted = 0

    def __contains__(self, digest: object) -> bool:
        return digest in self._forms

    def __len__(self) -> int:
        return len(self._forms)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(len(form) for form, _ in self._forms.values())

    @property
    def kept(self) -> list[bytes]:
        """Those that stay until they are dropped."""
        return [digest for digest, (_, shared) in self._forms.items() if shared and self._keeps]

    def use(self, digest: bytes) -> Form:
        """The form, which counts as used now.

        Raises:
            KeyError: It is not here.
        """
        self._forms.move_to_end(digest)
        return self._forms[digest][0]

    def entry(self, digest: bytes) -> list[Any]:
        """As ``use``; as it stands in a frame."""
        form = self.use(digest)
        return [digest, form, True] if self._forms[digest][1] else [digest, form]

    def put(self, entry: list[Any]) -> None:
        """Add what a frame has brought, unless it is here."""
        digest, form = entry[0], entry[1]
        shared = len(entry) > 2 and bool(entry[2])
        if digest not in self._forms:
            self._forms[digest] = (form, shared)
            if not (shared and self._keeps):
                self._counted += len(form)

    def trim(self, needed: Container[bytes]) -> None:
        """Let go of what is too much, and not needed."""
        if self._counted <= self._limit:
            return
        for digest, (_, shared) in list(self._forms.items()):
            if self._counted <= self._limit:
                return
            if digest not in needed and not (shared and self._keeps):
                self.drop(digest)

    def drop(self, digest: bytes) -> None:
        """Nobody needs it any more."""
        form, shared = self._forms.pop(digest, (b"", False))
        if not (shared and self._keeps):
            self._counted -= len(form)

    def keep_no_longer(self) -> None:
        """Nobody may be there to say when they are not needed: all count from now on."""
        for digest, (form, shared) in self._forms.items():
            if shared and self._keeps:
                self._forms[digest] = (form, False)
                self._counted += len(form)
