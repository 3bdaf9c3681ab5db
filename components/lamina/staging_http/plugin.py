"""``HTTPStaging``: files of web servers, whole, verified, and continued where they broke off."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from lamina.staging import (
    PAUSES,
    Direction,
    Mode,
    Place,
    a_mode,
    a_place,
    mode_named,
    persist,
    place_named,
    some_pauses,
)
from lamina.staging_http.requesting import Session, download, facts_of, upload
from lamina.vocabulary import ConfigError, File

__all__ = ["HTTPStaging"]

_SCHEMES = frozenset({"http", "https"})


def _durations(value: Any) -> tuple[float, float]:
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2 or not all(type(one) in (int, float) and one > 0 for one in both):
        msg = f"timeout is {value!r:.100}; write seconds, more than 0, or (to connect, of silence)"
        raise ConfigError(msg)
    return both[0], both[1]


@attrs.frozen(kw_only=True)
class HTTPStaging:
    """``http:`` and ``https:``: GET to bring a file, PUT to take one away.

    Redirects are followed, proxies and ``netrc`` are those of the host where the transfer runs.
    A file that breaks off is continued by a range request, as long as the server has the same
    one; an answer other than a success is a failure, and is never taken for the file.

    Args:
        mode: ``"separate"``, by a task of its own, or ``"in-task"``.
        where: ``"nodes"``, or ``"client"`` where only the program's host reaches the servers.
        timeout: Seconds for connecting, and of silence; or a pair of them.
        pauses: Seconds before each further attempt; there are no more than these.
        headers: Sent with each request. They travel to the workers, so netrc is the better
            place for secrets.
        upload: Whether outputs are sent with PUT, to servers that take them.
        verify: Whether certificates are verified; a path to those of your own authority.
    """

    how: str = attrs.field(default="separate", alias="mode", validator=a_mode)
    where: Literal["nodes", "client"] = attrs.field(default="nodes", validator=a_place)
    timeout: float | tuple[float, float] = attrs.field(default=60.0)
    pauses: tuple[float, ...] = attrs.field(default=PAUSES, converter=some_pauses)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    upload: bool = False
    verify: bool | str = True

    def __attrs_post_init__(self) -> None:
        _durations(self.timeout)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "http"

    @property
    def schemes(self) -> frozenset[str]:
        """``http`` and ``https``."""
        return _SCHEMES

    @property
    def mode(self) -> Mode:
        """As ``mode`` says."""
        return mode_named(self.how)

    @property
    def place(self) -> Place:
        """As ``where`` says."""
        return place_named(self.where)

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file that is brought; outputs where ``upload`` is set. No directories."""
        return not file.is_directory and (direction is Direction.IN or self.upload)

    def version(self, file: File) -> str | None:
        """Its ETag, or the time that it was changed and its size, if the server tells."""
        with self._session() as session:
            return persist(lambda attempt: facts_of(session, file.url).version, self.pauses)

    def fetch(self, file: File, target: Path) -> None:
        """Bring it.

        Raises:
            StagingFailed: The server refused it, or it could not be read to its end.
        """
        with self._session() as session:
            download(session, file.url, target, self.pauses)

    def store(self, source: Path, file: File) -> None:
        """Send it.

        Raises:
            StagingFailed: The server refused it, or has another size in the end.
        """
        with self._session() as session:
            persist(lambda attempt: upload(session, source, file.url), self.pauses)

    def _session(self) -> Session:
        return Session(_durations(self.timeout), dict(self.headers), self.verify)
