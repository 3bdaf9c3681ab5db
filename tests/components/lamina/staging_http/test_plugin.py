import ssl
from pathlib import Path
from typing import Any

import pytest

from lamina.staging import Direction, Mode, Place
from lamina.staging_http import HTTPStaging
from lamina.vocabulary import ConfigError, File, StagingFailed
from tests.fakes.certificates import certificate_of_this_host
from tests.fakes.http_server import serving


def test_it_says_where_and_how_it_works() -> None:
    plain = HTTPStaging()
    assert (plain.mode, plain.place) == (Mode.SEPARATE, Place.NODES)
    other = HTTPStaging(mode="in-task", where="client")
    assert (other.mode, other.place) == (Mode.IN_TASK, Place.CLIENT)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"mode": "both"}, '"separate" or "in-task"'),
        ({"where": "moon"}, '"nodes" or "client"'),
        ({"timeout": 0}, "more than 0"),
        ({"timeout": (1, 2, 3)}, "more than 0"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        HTTPStaging(**options)


def test_outputs_are_sent_only_where_that_was_asked_for() -> None:
    file = File("https://h/x")
    assert HTTPStaging().serves(file, Direction.IN)
    assert not HTTPStaging().serves(file, Direction.OUT)
    assert HTTPStaging(upload=True).serves(file, Direction.OUT)
    assert not HTTPStaging().serves(File("https://h/d/"), Direction.IN)


def test_headers_are_sent(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    secret = {"Authorization": "Basic dXNlcjpzZWNyZXQ="}
    with serving(tmp_path) as server:
        HTTPStaging(headers=secret).fetch(File(server.url("auth", "x")), tmp_path / "new")
        with pytest.raises(StagingFailed):
            HTTPStaging().fetch(File(server.url("auth", "x")), tmp_path / "other")
    assert (tmp_path / "new").read_text() == "1"


def test_a_server_without_etags_has_no_versions(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    with serving(tmp_path) as server:
        plugin = HTTPStaging(pauses=())
        assert plugin.version(File(server.url("plain", "x")))
        assert plugin.version(File(server.url("bare", "x"))) is None


def test_a_certificate_is_verified_by_one_s_own_authority(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    certificate, key = certificate_of_this_host(tmp_path)
    with serving(tmp_path) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        file = File(server.url("plain", "x").replace("http:", "https:"))
        HTTPStaging(verify=str(certificate)).fetch(file, tmp_path / "new")
        with pytest.raises(StagingFailed, match="certificate") as caught:
            HTTPStaging().fetch(file, tmp_path / "other")
    assert (tmp_path / "new").read_text() == "1"
    assert not caught.value.again
