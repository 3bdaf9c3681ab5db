import logging
import tempfile
from pathlib import Path
from urllib.parse import quote

from lamina.conformance import STAGING
from lamina.staging_ftp import FTPStaging
from tests.fakes.ftp_server import FTPServer
from tests.fakes.staging_bench import FolderBench
from tests.kits import as_tests


def ftp() -> FolderBench:
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp())
    server = FTPServer(folder)
    plugin = FTPStaging(pauses=(0.01,))
    return FolderBench(
        plugin, lambda name: server.url(quote(name), "user:secret@"), folder, server.close
    )


TestFTP = as_tests(STAGING, ftp)
