import logging
import shutil
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import quote

from lamina.conformance import STAGING
from lamina.staging import ArchiveStaging, FileCopyStaging, FTPStaging, SharedFileStaging, Staging
from lamina.vocabulary import File
from tests.fakes.ftp_server import FTPServer
from tests.fakes.staging import FolderStaging
from tests.fakes.staging_bench import FolderBench
from tests.kits import as_tests


def here(plugin: Staging) -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    return FolderBench(plugin, lambda name: str(folder / name), folder)


def fake() -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    plugin = FolderStaging(str(folder))
    return FolderBench(plugin, lambda name: f"fake://h/{name}", folder)


TestSharedFile = as_tests(STAGING, lambda: here(SharedFileStaging()))
TestFileCopy = as_tests(STAGING, lambda: here(FileCopyStaging(where="nodes")))
TestFileLink = as_tests(STAGING, lambda: here(FileCopyStaging(where="nodes", link=True)))
TestFake = as_tests(STAGING, fake)


class _ZipBench:
    def __init__(self) -> None:
        self.plugin = ArchiveStaging()
        self.folder = Path(tempfile.mkdtemp())

    def put(self, name: str, content: bytes) -> File:
        (self.folder / "made").write_bytes(content)
        self.plugin.store(self.folder / "made", self.file(name))
        return self.file(name)

    def file(self, name: str) -> File:
        return File(f"zip:{self.folder}/a.zip/{name}")

    def get(self, name: str) -> bytes:
        with zipfile.ZipFile(self.folder / "a.zip") as archive:
            return archive.read(name)

    def close(self) -> None:
        shutil.rmtree(self.folder)


def ftp() -> FolderBench:
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp())
    server = FTPServer(folder)
    plugin = FTPStaging(pauses=(0.01,))
    return FolderBench(
        plugin, lambda name: server.url(quote(name), "user:secret@"), folder, server.close
    )


TestZip = as_tests(STAGING, _ZipBench)
TestFTP = as_tests(STAGING, ftp)
