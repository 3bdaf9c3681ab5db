import shutil
import tempfile
import zipfile
from pathlib import Path

from lamina.conformance import STAGING
from lamina.staging_archive import ArchiveStaging
from lamina.vocabulary import File
from tests.kits import as_tests


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


TestZip = as_tests(STAGING, _ZipBench)
