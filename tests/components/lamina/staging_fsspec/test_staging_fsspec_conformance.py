import itertools

import pytest

from lamina.conformance import STAGING, Clause, check
from lamina.staging_fsspec import FsspecStaging
from lamina.vocabulary import File
from tests.fakes.s3_server import BUCKET, S3Server

_folders = itertools.count()


class Bench:
    def __init__(self, s3: S3Server) -> None:
        self.plugin = FsspecStaging(options=s3.options, pauses=(0.01,))
        self._files = s3.files()
        self._folder = f"{BUCKET}/{next(_folders)}"

    def put(self, name: str, content: bytes) -> File:
        self._files.pipe_file(f"{self._folder}/{name}", content)
        return self.file(name)

    def file(self, name: str) -> File:
        return File(f"s3://{self._folder}/{name}")

    def get(self, name: str) -> bytes:
        content: bytes = self._files.cat_file(f"{self._folder}/{name}")
        return content

    def close(self) -> None:
        pass


class TestS3:
    @pytest.mark.parametrize("clause", STAGING.clauses, ids=[one.id for one in STAGING.clauses])
    def test_the_clause_is_kept(self, clause: Clause, s3: S3Server) -> None:
        check(clause, lambda: Bench(s3))
