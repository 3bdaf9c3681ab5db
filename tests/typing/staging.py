"""Each staging plug-in is one for the type checker, which reads this; nobody runs it."""

from lamina.flow import (
    ArchiveStaging,
    FileCopyStaging,
    FsspecStaging,
    FTPStaging,
    HTTPStaging,
    RsyncStaging,
    SFTPStaging,
    SharedFileStaging,
)
from lamina.staging import Staging

plugins: list[Staging] = [
    ArchiveStaging(mode="separate"),
    FTPStaging(),
    FileCopyStaging(where="nodes", link=True),
    FsspecStaging(options={"anon": True}),
    HTTPStaging(mode="in-task", timeout=(5, 60)),
    RsyncStaging(shell="ssh"),
    SFTPStaging(ssh={"key_filename": "id"}),
    SharedFileStaging(),
]
