import tempfile
from pathlib import Path

from lamina.conformance import STAGING
from lamina.staging import FileCopyStaging, SharedFileStaging, Staging
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
