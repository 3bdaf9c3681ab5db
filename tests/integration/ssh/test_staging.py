"""Files that OpenSSH itself gives out and takes."""

from pathlib import Path

import pytest

from lamina.staging_sftp import SFTPStaging
from lamina.vocabulary import File, StagingFailed
from tests.integration.ssh.hosts import Hosts

pytestmark = pytest.mark.service

CONTENT = bytes(range(256)) * 40_000  # 10 MB


def test_files_come_and_go_by_sftp(hosts: Hosts, tmp_path: Path) -> None:
    channel = hosts.channel("key")
    plugin = SFTPStaging(
        ssh={
            "key_filename": channel.key_filename,
            "host_keys_filename": channel.host_keys_filename,
            "allow_agent": False,
            "config_file": channel.config_file,
        }
    )
    place = channel.place("staging")
    file = File(f"sftp://{channel.hostname}{place}/x")  # the configuration says the rest
    (tmp_path / "made").write_bytes(CONTENT)
    plugin.store(tmp_path / "made", file)
    first = plugin.version(file)
    plugin.fetch(file, tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT
    (tmp_path / "made").write_bytes(b"1")
    plugin.store(tmp_path / "made", file)
    assert plugin.version(file) != first
    with pytest.raises(StagingFailed, match="No such file") as caught:
        plugin.fetch(File(file.url + ".none"), tmp_path / "none")
    assert not caught.value.again
