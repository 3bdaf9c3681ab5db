import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from lamina.conformance import STAGING
from lamina.staging_sftp import SFTPStaging
from tests.components.lamina.channels_ssh.server import Server
from tests.fakes.staging_bench import FolderBench
from tests.kits import as_tests


def bench() -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    server = Server(folder)
    plugin = SFTPStaging(
        ssh={
            "key_filename": str(server.key_file),
            "host_keys_filename": str(server.known_hosts),
            "allow_agent": False,
            "config_file": os.devnull,
        }
    )
    url = f"sftp://somebody@127.0.0.1:{server.port}/~/"
    return FolderBench(plugin, lambda name: url + quote(name), server.home, server.close)


TestSFTP = as_tests(STAGING, bench)
