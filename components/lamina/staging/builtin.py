"""The names by which users ask for our staging plug-ins."""

from collections.abc import Iterable
from typing import Any

from lamina.plugins import resolve
from lamina.staging.protocol import Staging

__all__ = ["BUILTIN", "DEFAULT", "plugins_of"]

BUILTIN = {
    "file": ".files:SharedFileStaging",
    "file-copy": ".files:FileCopyStaging",
    "ftp": "..staging_ftp:FTPStaging",
    "archive": "..staging_archive:ArchiveStaging",
    "sftp": "..staging_sftp:SFTPStaging",
    "fsspec": "..staging_fsspec:FsspecStaging",
    "rsync": "..staging_rsync:RsyncStaging",
    "http": "..staging_http:HTTPStaging",
}

DEFAULT = ("file", "file-copy", "http", "ftp", "archive", "sftp")
"""What an executor has that was given nothing: all that asks for no settings of its own."""


def plugins_of(given: Iterable[Any]) -> tuple[Staging, ...]:
    """Plug-ins from plug-ins and names.

    Raises:
        UnknownPluginError: A name is that of no plug-in.
    """
    return tuple(resolve("staging", one)() if isinstance(one, str) else one for one in given)
