import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.staging_http import HTTPStaging
from lamina.staging_http.requesting import hopeful
from lamina.vocabulary import File, StagingFailed
from tests.fakes.http_server import Misbehaving, serving

CONTENT = bytes(range(256)) * 10_000  # 2.5 MB


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Misbehaving]:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "x").write_bytes(CONTENT)
    with serving(folder) as made:
        yield made


def fetched(server: Misbehaving, kind: str, tmp_path: Path, **options: float) -> bytes:
    plugin = HTTPStaging(pauses=(0.01, 0.01, 0.01), **options)
    plugin.fetch(File(server.url(kind, "x")), tmp_path / "new")
    return (tmp_path / "new").read_bytes()


def refused(server: Misbehaving, kind: str, tmp_path: Path, **options: float) -> StagingFailed:
    with pytest.raises(StagingFailed) as caught:
        fetched(server, kind, tmp_path, **options)
    return caught.value


def test_a_redirect_is_followed_and_a_loop_is_none(server: Misbehaving, tmp_path: Path) -> None:
    assert fetched(server, "redirect", tmp_path) == CONTENT
    error = refused(server, "loop", tmp_path)
    assert (error.attempt, error.again) == (1, False)


def test_what_is_meant_for_one_site_is_not_shown_to_another(
    server: Misbehaving, tmp_path: Path
) -> None:
    plugin = HTTPStaging(headers={"PRIVATE-TOKEN": "secret"})
    with serving(server.folder) as other:
        server.elsewhere = other.url("plain", "x")
        plugin.fetch(File(server.url("away", "x")), tmp_path / "new")
        plugin.fetch(File(server.url("redirect", "x")), tmp_path / "near")
        assert (tmp_path / "new").read_bytes() == CONTENT
        assert {asked.get("PRIVATE-TOKEN") for asked in server.headers} == {"secret"}
        assert {asked.get("PRIVATE-TOKEN") for asked in other.headers} == {None}


def test_an_error_page_is_never_taken_for_the_file(server: Misbehaving, tmp_path: Path) -> None:
    error = refused(server, "404", tmp_path)
    assert (error.status, error.attempt, error.again) == (404, 1, False)
    assert error.url == server.url("404", "x")
    assert "404 Not Found" in str(error)


def test_a_server_that_recovers_is_asked_again(server: Misbehaving, tmp_path: Path) -> None:
    assert fetched(server, "broken", tmp_path) == CONTENT
    assert server.counts["broken"] == 3


def test_a_server_that_does_not_recover_is_given_up(server: Misbehaving, tmp_path: Path) -> None:
    error = refused(server, "503", tmp_path)
    assert (error.status, error.attempt, error.again) == (503, 4, True)


def test_what_breaks_off_is_continued(server: Misbehaving, tmp_path: Path) -> None:
    assert fetched(server, "cut", tmp_path) == CONTENT
    first, second = server.asked
    assert first == "GET cut x"
    start = int(second.removeprefix("GET cut x bytes=").rstrip("-"))
    assert len(CONTENT) // 2 - 2**18 <= start <= len(CONTENT) // 2


def test_what_is_another_file_by_then_is_begun_anew(server: Misbehaving, tmp_path: Path) -> None:
    assert fetched(server, "changed", tmp_path) == b"another" + CONTENT


def test_a_server_that_knows_no_ranges_is_begun_anew(server: Misbehaving, tmp_path: Path) -> None:
    assert fetched(server, "bare", tmp_path) == CONTENT


def test_a_body_that_never_comes_whole_is_a_failure(server: Misbehaving, tmp_path: Path) -> None:
    error = refused(server, "short", tmp_path)
    assert (error.attempt, error.again) == (4, True)


def test_a_silent_server_is_given_up(server: Misbehaving, tmp_path: Path) -> None:
    error = refused(server, "stuck", tmp_path, timeout=0.2)
    assert error.again
    assert "timed out" in str(error)


def test_a_password_is_taken_from_netrc(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(server, "auth", tmp_path)
    assert (error.status, error.again) == (401, False)
    secrets = tmp_path / "netrc"
    secrets.write_text("machine 127.0.0.1 login user password secret\n")
    secrets.chmod(0o600)
    monkeypatch.setenv("NETRC", str(secrets))
    assert fetched(server, "auth", tmp_path) == CONTENT


def test_a_proxy_is_used(
    server: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url("plain", "").rpartition("/plain/")[0])
    HTTPStaging(pauses=()).fetch(File("http://elsewhere.invalid/plain/x"), tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == CONTENT


def test_what_is_compressed_though_nobody_asked_is_unpacked(
    server: Misbehaving, tmp_path: Path
) -> None:
    assert fetched(server, "packed", tmp_path) == CONTENT


def test_a_server_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(StagingFailed, match="ConnectionError") as caught:
            HTTPStaging(pauses=(0.01,)).fetch(File(url), tmp_path / "new")
    assert (caught.value.attempt, caught.value.again) == (2, True)


def test_a_url_that_cannot_be_one_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StagingFailed) as caught:
        HTTPStaging().fetch(File("http://"), tmp_path / "new")
    assert (caught.value.attempt, caught.value.again) == (1, False)


def test_an_upload_is_verified(server: Misbehaving, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"12345")
    plugin = HTTPStaging(upload=True, pauses=())
    plugin.store(tmp_path / "made", File(server.url("plain", "y")))
    assert (server.folder / "y").read_bytes() == b"12345"
    with pytest.raises(StagingFailed, match="the server has 2 bytes of 5"):
        plugin.store(tmp_path / "made", File(server.url("lies", "z")))
    with pytest.raises(StagingFailed) as caught:
        plugin.store(tmp_path / "made", File(server.url("403", "z")))
    assert (caught.value.status, caught.value.again) == (403, False)


def test_which_answers_another_moment_may_change() -> None:
    assert [status for status in (400, 401, 404, 408, 410, 429, 500, 503) if hopeful(status)] == [
        408,
        429,
        500,
        503,
    ]
