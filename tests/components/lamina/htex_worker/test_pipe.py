from mmap import mmap

import pytest

from lamina.htex_worker import (
    BY_WORKERS,
    Records,
    form_record,
    read_need,
    read_outcome,
    task_record,
)
from lamina.htex_worker.pipe import (
    BY_MANAGERS,
    FORM,
    NEED,
    OUTCOME,
    TASK,
    MalformedRecord,
    Report,
    need_record,
    outcome_record,
    read_form,
    read_task,
)


def test_a_task_is_read_as_it_was_written() -> None:
    written = b"".join(task_record(7, b"d" * 16, [b"one", b"", b"three"], {"walltime": 1.5}))
    ((kind, body),) = Records().feed(written)
    task = read_task(body)
    assert kind == TASK
    assert (task.attempt, task.digest, task.options) == (7, b"d" * 16, {"walltime": 1.5})
    assert [bytes(buffer) for buffer in task.buffers] == [b"one", b"", b"three"]


def test_a_task_by_reference_has_no_digest() -> None:
    ((_, body),) = Records().feed(b"".join(task_record(7, None, [b"one"], None)))
    assert read_task(body).digest is None
    assert read_task(body).options == {}


def test_an_outcome_is_read_as_it_was_written() -> None:
    ((kind, body),) = Records().feed(
        b"".join(outcome_record(Report(7, 1, 2.5, 3.5, [b"x", b"yz"])))
    )
    report = read_outcome(body)
    assert (kind, *report[:4]) == (OUTCOME, 7, 1, 2.5, 3.5)
    assert [bytes(buffer) for buffer in report.buffers] == [b"x", b"yz"]


def test_forms_and_the_need_for_them_are_read_as_they_were_written() -> None:
    digest = bytes(range(16))
    (form, need) = Records().feed(b"".join((*form_record(digest, b"form"), need_record(digest))))
    assert (form[0], read_form(form[1])) == (FORM, (digest, b"form"))
    assert (need[0], read_need(need[1])) == (NEED, digest)


def _cut(stream: bytes, size: int) -> list[tuple[int, bytes]]:
    """Read as manager and worker do, in pieces of this size."""
    records, found, at = Records(), [], 0
    while at < len(stream):
        room = records.room
        if room is None:
            piece = stream[at : at + size]
            words = list(records.feed(piece))
        else:
            piece = stream[at : at + min(size, len(room))]
            room[: len(piece)] = piece
            words = records.filled(len(piece))
        found += [(kind, bytes(body)) for kind, body in words]
        at += len(piece)
    assert records.room is None
    return found


@pytest.mark.parametrize("size", [1, 2, 4, 5, 7, 1000, 10**6])
def test_records_are_cut_however_the_bytes_come(size: int) -> None:
    lengths = (0, 1, 5, 300, 0) if size < 10 else (0, 70_000, 5, 200_000, 300, 65_536, 0)
    written = [b"".join(form_record(bytes(16), b"f" * length)) for length in lengths]
    found = _cut(b"".join(written), size)
    assert found == [(FORM, record[9:]) for record in written]


def test_a_long_buffer_is_neither_joined_nor_copied() -> None:
    long = bytes(70_000)
    parts = task_record(7, None, [b"small", long, b"end"], None)
    assert any(part is long for part in parts)
    ((_, body),) = _cut(b"".join(parts), 30_000)
    assert [bytes(one) for one in read_task(memoryview(body)).buffers] == [b"small", long, b"end"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0\0\0\0\0\x63",  # a kind that nobody knows
        b"\xff\xff\xff\xff\0\0\0\0\x0a",  # an UP of four gigabytes
        b"\3\0\0\0\0\0\0\0\x0dabc",  # a digest of three bytes
        b"some words to whom it may concern",  # an outcome of no size that there is
        b"\0\0\0\0\0\0\0\1\x0b",
    ],
)
def test_what_is_no_record_is_refused_before_the_rest_of_it_has_come(data: bytes) -> None:
    with pytest.raises(MalformedRecord):
        list(Records().feed(data))


@pytest.mark.parametrize("kind", sorted(BY_MANAGERS))
def test_a_worker_that_says_what_managers_say_is_not_waited_for(kind: int) -> None:
    """Else what it says next, its outcome too, would be taken for the rest of that."""
    with pytest.raises(MalformedRecord):
        list(Records(BY_WORKERS).feed((2**20).to_bytes(8, "little") + bytes([kind])))


def test_buffers_may_have_more_than_four_gigabytes() -> None:
    with mmap(-1, 2**32 + 1) as memory, memoryview(memory) as long:
        for parts in (
            task_record(7, None, [b"small", long], None),
            outcome_record(Report(7, 0, 1.0, 2.0, [b"small", long])),
            form_record(bytes(16), long),
        ):
            assert parts[-1] is long
            assert int.from_bytes(parts[0][:8], "little") == sum(map(len, parts)) - 9
            parts.clear()


def test_there_may_be_any_number_of_buffers() -> None:
    many = [b"x"] * 70_000
    ((_, body),) = Records().feed(b"".join(task_record(7, None, many, None)))
    assert len(read_task(body).buffers) == len(many)
    ((_, body),) = Records().feed(b"".join(outcome_record(Report(7, 0, 1.0, 2.0, many))))
    assert len(read_outcome(body).buffers) == len(many)


@pytest.mark.parametrize(
    "report",
    [
        Report(1, 2, 1.0, 2.0, [b"x"]),
        Report(1, 1, 1.0, 2.0, []),
        Report(1, 0, float("nan"), 2.0, []),
        Report(1, 0, 2.0, float("inf"), []),
    ],
)
def test_an_outcome_that_adds_up_to_nothing_is_refused(report: Report) -> None:
    ((_, body),) = Records().feed(b"".join(outcome_record(report)))
    with pytest.raises(MalformedRecord):
        read_outcome(body)


def test_an_outcome_that_was_cut_is_refused() -> None:
    ((_, body),) = Records().feed(b"".join(outcome_record(Report(1, 0, 1.0, 2.0, [b"value"]))))
    for length in range(len(body)):
        with pytest.raises(MalformedRecord):
            read_outcome(body[:length])
