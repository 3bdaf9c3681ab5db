"""Requests, and what their answers mean: the one module that knows the library."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import requests

from lamina.staging import persist
from lamina.vocabulary import StagingFailed

__all__ = ["Facts", "Session", "download", "facts_of", "hopeful", "upload"]

BLOCK = 2**18  # bytes read at once; less than that may be lost where a connection breaks
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
# What a server says when another moment may be better.
_PASSING = frozenset({408, 421, 423, 425, 429})
# As it is on the other side, so that lengths are those of the file.
_PLAIN = {"Accept-Encoding": "identity"}


def hopeful(status: int) -> bool:
    """Whether asking again after this answer may help."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING


class Facts(NamedTuple):
    """What a server says of a file before it is read."""

    version: str | None
    strong: str | None
    """A validator by which the server can tell that the rest is of the same content."""
    size: int | None
    """Bytes."""


class _Careful(requests.Session):
    """Shows the headers of its user to no other site than the one that was asked."""

    def __init__(self, own: dict[str, str]) -> None:
        super().__init__()
        self.headers.update({**_PLAIN, **own})
        self._own = tuple(own)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Called for each redirect; the library itself takes care of Authorization alone."""
        before, after = response.request.url, prepared_request.url
        if self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            for name in self._own:
                prepared_request.headers.pop(name, None)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


class Session:
    """Requests that share connections and settings; closed at the end of ``with``."""

    def __init__(
        self, timeout: tuple[float, float], headers: dict[str, str], verify: bool | str
    ) -> None:
        self._session = _Careful(headers)
        self._timeout, self._verify = timeout, verify

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    @contextmanager
    def ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, data: object = None
    ) -> Iterator[requests.Response]:
        """Ask, and give the answer, whatever it is, without its body.

        Raises:
            StagingFailed: There was no answer, or it broke off.
        """
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=data,  # type: ignore[arg-type]  # a file, or nothing
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=True,
                stream=True,
            ) as answer:
                yield answer
        except requests.RequestException as error:
            wrong = isinstance(
                error,
                requests.exceptions.InvalidURL
                | requests.exceptions.InvalidSchema
                | requests.exceptions.MissingSchema
                | requests.TooManyRedirects
                | requests.exceptions.SSLError,
            )
            reason = f"{type(error).__name__}: {error}"
            raise StagingFailed(reason, url=url, again=not wrong) from error


def facts_of(session: Session, url: str) -> Facts:
    """What the server says of a file.

    Raises:
        StagingFailed: It refuses it, or cannot be asked.
    """
    with session.ask("HEAD", url) as answer:
        # Some servers know GET alone.
        if answer.status_code not in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
            return _read_facts(answer, url)
    with session.ask("GET", url) as answer:
        return _read_facts(answer, url)


def _read_facts(answer: requests.Response, url: str) -> Facts:
    _check(answer, url)
    etag, changed = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    size = answer.headers.get("Content-Length")
    version = etag or (f"{changed} {size}" if changed else None)
    if answer.headers.get("Content-Encoding"):  # its length is not that of the file
        return Facts(version, None, None)
    strong = etag if etag and not etag.startswith("W/") else None
    return Facts(version, strong or changed, int(size) if size and size.isdecimal() else None)


def _check(answer: requests.Response, url: str, moved: int = 0) -> None:
    status = answer.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    reason = f"the server answered {status} {answer.reason}"
    raise StagingFailed(reason, url=url, moved=moved, status=status, again=hopeful(status))


class _Progress:
    """How far a download has got over all its attempts, and of what."""

    def __init__(self) -> None:
        self.validator: str | None = None
        self.total: int | None = None


def download(session: Session, url: str, target: Path, pauses: Sequence[float]) -> None:
    """Bring a file to its end, in as many attempts as are allowed without getting further.

    Raises:
        StagingFailed: The server refused it, or it could not be read to its end.
    """
    progress = _Progress()
    with target.open("wb") as out:
        # What gets further is no further attempt: a connection that breaks often is only slow.
        while True:
            before = out.tell()
            try:
                persist(lambda attempt: _once(session, url, out.fileno(), progress), pauses)
                return
            except StagingFailed as error:
                out.seek(0, os.SEEK_END)
                if not error.again or out.tell() <= before:
                    raise


def _once(session: Session, url: str, out: int, progress: _Progress) -> None:
    """Read what is still missing."""
    there = os.lseek(out, 0, os.SEEK_END)
    headers = {}
    if there and progress.validator is not None:
        headers = {"Range": f"bytes={there}-", "If-Range": progress.validator}
    with session.ask("GET", url, headers) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and there:
            os.ftruncate(out, 0)
            reason = "the server has less of the file than it has sent"
            raise StagingFailed(reason, url=url, moved=there, status=answer.status_code)
        _check(answer, url, there)
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT and headers:
            there = _continues_at(answer, url, there)
        else:
            os.ftruncate(out, 0)
            there = 0
            facts = _read_facts(answer, url)
            progress.validator, progress.total = facts.strong, facts.size
        os.lseek(out, there, os.SEEK_SET)
        moved = _receive(answer, url, out, there)
    if progress.total is not None and moved != progress.total:
        reason = f"{moved} bytes have come of {progress.total}"
        if moved > progress.total:
            os.ftruncate(out, 0)
        raise StagingFailed(reason, url=url, moved=moved)


def _continues_at(answer: requests.Response, url: str, there: int) -> int:
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) > there:
        said = answer.headers.get("Content-Range")
        reason = f"asked for the rest from byte {there} on, the server sent {said!r}"
        raise StagingFailed(reason, url=url, moved=there, status=answer.status_code)
    return int(found[1])


def _receive(answer: requests.Response, url: str, out: int, there: int) -> int:
    try:
        for block in answer.iter_content(BLOCK):
            view = memoryview(block)
            while view:
                written = os.write(out, view)
                view, there = view[written:], there + written
    except requests.RequestException as error:
        # With what has come written down, so that the next attempt goes on from there.
        reason = f"it broke off: {error}"
        raise StagingFailed(reason, url=url, moved=there) from error
    return there


def upload(session: Session, source: Path, url: str) -> None:
    """Send a file with PUT, and ask for its size afterwards.

    Raises:
        StagingFailed: The server refused it, or has another size in the end.
    """
    try:
        content = source.open("rb")
    except OSError as error:
        raise StagingFailed(str(error), url=url, again=False) from error
    with content:
        size = os.fstat(content.fileno()).st_size
        # Of an empty file the library would not tell the length.
        with session.ask("PUT", url, data=content if size else b"") as answer:
            _check(answer, url)
    found = facts_of(session, url).size
    if found is not None and found != size:
        reason = f"the server has {found} bytes of {size}"
        raise StagingFailed(reason, url=url, moved=size)
