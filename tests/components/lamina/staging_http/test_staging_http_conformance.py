import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from lamina.conformance import STAGING
from lamina.staging_http import HTTPStaging
from tests.fakes.http_server import serving
from tests.fakes.staging_bench import FolderBench
from tests.kits import as_tests


def bench() -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    stack = ExitStack()
    server = stack.enter_context(serving(folder))
    plugin = HTTPStaging(upload=True, pauses=(0.01,))
    return FolderBench(plugin, lambda name: server.url("plain", quote(name)), folder, stack.close)


TestHTTP = as_tests(STAGING, bench)
