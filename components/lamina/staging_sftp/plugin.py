"""``sftp:``: files of hosts that are reached by SSH, continued where a connection broke."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import attrs

from lamina.channels import ChannelError
from lamina.channels_ssh import AuthenticationFailed, ConnectionFailed, HostKeyRefused, SSHChannel
from lamina.staging import (
    Direction,
    Mode,
    Place,
    a_mode,
    a_place,
    mode_named,
    option_items,
    place_named,
)
from lamina.vocabulary import ConfigError, File, StagingFailed

__all__ = ["SFTPStaging"]

_SCHEMES = frozenset({"sftp"})
_FROM_URL = ("hostname", "username", "port")


@attrs.frozen(kw_only=True)
class SFTPStaging:
    """``sftp://[user@]host[:port]/path``, by the channel that reaches batch systems too.

    The host may be what ``~/.ssh/config`` calls it. Its key must be known; who logs in, and how,
    is said by that configuration and by the agent. A path that begins with ``/~/`` is below the
    home directory.

    Args:
        where: ``"client"``, the program's host, where the keys usually are; or ``"nodes"``.
        mode: With ``"nodes"``: ``"separate"``, by a task of its own, or ``"in-task"``.
        ssh: Options of SSHChannel, but for those that the URL says. With ``"nodes"`` they travel
            to the workers, so better name files than secrets.
    """

    where: Literal["client", "nodes"] = attrs.field(default="client", validator=a_place)
    how: str = attrs.field(default="separate", alias="mode", validator=a_mode)
    ssh: Mapping[str, Any] = attrs.field(factory=dict, eq=option_items, repr=False)

    def __attrs_post_init__(self) -> None:
        if wrong := sorted(set(_FROM_URL) & set(self.ssh)):
            msg = f"ssh has {', '.join(wrong)}, which the URL of a file says"
            raise ConfigError(msg)
        try:
            SSHChannel("host", **self.ssh)
        except TypeError as error:
            msg = f"ssh has what is no option of SSHChannel: {error}"
            raise ConfigError(msg) from error

    @property
    def name(self) -> str:
        """What messages call it."""
        return "sftp"

    @property
    def schemes(self) -> frozenset[str]:
        """``sftp`` alone."""
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
        """Every file, both ways. No directories."""
        return not file.is_directory and bool(file.netloc)

    def version(self, file: File) -> str | None:
        """Its size, and when it was changed.

        Raises:
            StagingFailed: It is not there, or the host lets nobody in.
        """
        with self._channel(file) as (channel, path):
            size, changed = channel.facts(path)
        return f"{size} {changed}"

    def fetch(self, file: File, target: Path) -> None:
        """Bring it.

        Raises:
            StagingFailed: It is not there, or the host cannot be reached.
        """
        with self._channel(file) as (channel, path):
            channel.get(path, target)

    def store(self, source: Path, file: File) -> None:
        """Send it; it appears under its name once all of it has arrived.

        Raises:
            StagingFailed: It cannot be written there, or the host cannot be reached.
        """
        with self._channel(file) as (channel, path):
            channel.put(source, path)

    @contextmanager
    def _channel(self, file: File) -> Iterator[tuple[SSHChannel, str]]:
        parts = urlsplit(file.url)
        try:
            port = parts.port
        except ValueError as error:
            raise StagingFailed(str(error), url=file.url, again=False) from error
        user = None if parts.username is None else unquote(parts.username)
        options = dict(self.ssh)
        if parts.password is not None:
            options["password"] = unquote(parts.password)
        path = unquote(parts.path)
        path = path[1:] if path.startswith("/~/") else path
        try:
            channel = SSHChannel(parts.hostname or "", user, port=port, **options)
            try:
                yield channel, path
            finally:
                channel.close()
        except (ConnectionFailed, AuthenticationFailed, HostKeyRefused) as error:
            again = isinstance(error, ConnectionFailed)
            raise StagingFailed(str(error), url=file.url, again=again) from error
        except ChannelError as error:
            again = "have arrived" in error.why  # the one fault of a transfer that may pass
            raise StagingFailed(str(error), url=file.url, again=again) from error
