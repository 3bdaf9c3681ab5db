import tempfile
from pathlib import Path

import attrs

from lamina.conformance import STAGING
from lamina.staging import Direction
from lamina.vocabulary import File, StagingFailed
from tests.fakes.staging import FolderStaging
from tests.fakes.staging_bench import FolderBench
from tests.kits import assert_each_clause_can_fail, what_is_found


@attrs.frozen
class Unequal(FolderStaging):
    def __reduce__(self) -> tuple[type[FolderStaging], tuple[str]]:
        return FolderStaging, (self.folder,)


@attrs.frozen
class ServesNothing(FolderStaging):
    def serves(self, file: File, direction: Direction) -> bool:
        return False


@attrs.frozen
class DropsTheEnd(FolderStaging):
    def fetch(self, file: File, target: Path) -> None:
        super().fetch(file, target)
        target.write_bytes(target.read_bytes()[:-1])


@attrs.frozen
class Appends(FolderStaging):
    def fetch(self, file: File, target: Path) -> None:
        before = target.read_bytes() if target.exists() else b""
        super().fetch(file, target)
        target.write_bytes(before + target.read_bytes())


@attrs.frozen
class Hopeful(FolderStaging):
    def fetch(self, file: File, target: Path) -> None:
        try:
            super().fetch(file, target)
        except StagingFailed as error:
            raise StagingFailed(error.reason, url=file.url) from error


@attrs.frozen
class Timeless(FolderStaging):
    def version(self, file: File) -> str | None:
        return "always the same"


@attrs.frozen
class Mixes(FolderStaging):
    def fetch(self, file: File, target: Path) -> None:
        super().fetch(File("fake://h/part0") if "part" in file.url else file, target)


@attrs.frozen
class StoresHalf(FolderStaging):
    def store(self, source: Path, file: File) -> None:
        content = source.read_bytes()
        Path(self.folder, file.filename).write_bytes(content[: len(content) // 2])


@attrs.frozen
class StoresNothing(FolderStaging):
    def store(self, source: Path, file: File) -> None:
        Path(self.folder, file.filename).touch()


@attrs.frozen
class Invents(FolderStaging):
    def fetch(self, file: File, target: Path) -> None:
        target.touch()


@attrs.frozen
class LeavesTraces(FolderStaging):
    def store(self, source: Path, file: File) -> None:
        Path(self.folder, file.filename).touch()
        super().store(source, file)


def bench(kind: type[FolderStaging]) -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    return FolderBench(kind(str(folder)), lambda name: f"fake://h/{name}", folder)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        STAGING,
        {
            "staging.value": lambda: bench(Unequal),
            "staging.serves": lambda: bench(ServesNothing),
            "staging.fetch": lambda: bench(DropsTheEnd),
            "staging.fetch.part": lambda: bench(Appends),
            "staging.fetch.missing": lambda: bench(Hopeful),
            "staging.version": lambda: bench(Timeless),
            "staging.store": lambda: bench(StoresHalf),
            "staging.store.missing": lambda: bench(StoresNothing),
            "staging.at_once": lambda: bench(Mixes),
        },
    )


def test_what_is_done_about_a_missing_file_is_told() -> None:
    assert what_is_found(STAGING, "staging.fetch.missing", lambda: bench(Invents)) == "no error"
    assert (
        what_is_found(STAGING, "staging.store.missing", lambda: bench(StoresNothing)) == "no error"
    )
    found = what_is_found(STAGING, "staging.store.missing", lambda: bench(LeavesTraces))
    assert found == "a file on the other side"
