from lamina.memo import CallPrint, OutputMark, StoredResult
from lamina.memo_log.forms import (
    Brief,
    Header,
    joined,
    read_brief,
    read_header,
    read_result,
    split,
    write_header,
    write_result,
)

CALL = CallPrint("m.f", b"12345678", "2", (("x", b"abcdefgh"), ("größe", b"")), b"")
RESULT = StoredResult(
    b"k" * 20, "täsk", 12.5, "error", (), (OutputMark("file:///\udcff", 1, 2),), CALL
)


def test_a_result_is_read_as_it_was_written() -> None:
    for result in (RESULT, RESULT._replace(outputs=(), made_of=None, form="value")):
        body = write_result(result, b"the rest")
        assert read_result(body) == (result, b"the rest")


def test_an_index_reads_only_the_beginning() -> None:
    body = write_result(RESULT, b"")
    assert read_brief(body) == Brief(b"k" * 20, 12.5, "m.f")
    assert read_brief(body[:10]) is None
    assert read_brief(body[:20]) is None


def test_a_body_that_makes_no_sense_is_none() -> None:
    body = write_result(RESULT, b"")
    assert read_result(b"") is None
    assert read_result(body.replace(b"{", b"[")) is None
    assert read_result(body.replace(b'"name"', b'"nome"')) is None
    assert read_result(body[:8] + b"\x09" + body[9:]) is None


def test_a_header_is_read_as_it_was_written() -> None:
    header = Header("abc", 1.5, "host", "boot/1/2/3")
    assert read_header(write_header(header)) == header
    for body in (b"", b"[]", b"{}", b"\xff"):
        assert read_header(body) is None


def test_buffers_are_split_as_they_were_joined() -> None:
    buffers = [b"pickle", bytearray(), memoryview(b"x" * 1000)]
    found = split(joined(buffers))
    assert found is not None
    assert [bytes(part) for part in found] == [bytes(part) for part in buffers]
    assert split(b"") == []
    assert split(b"short") is None
    assert split(joined([b"abc"])[:-1]) is None
