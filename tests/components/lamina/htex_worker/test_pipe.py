import pytest

from lamina.htex_worker import Records, form_record, read_need, read_outcome, task_record
from lamina.htex_worker.pipe import (
    FORM,
    NEED,
    OUTCOME,
    TASK,
    Report,
    need_record,
    outcome_record,
    read_form,
    read_task,
)


def test_a_task_is_read_as_it_was_written() -> None:
    written = task_record(7, b"d" * 16, [b"one", b"", b"three"], {"walltime": 1.5})
    ((kind, body),) = Records().feed(written)
    task = read_task(body)
    assert kind == TASK
    assert (task.attempt, task.digest, task.options) == (7, b"d" * 16, {"walltime": 1.5})
    assert [bytes(buffer) for buffer in task.buffers] == [b"one", b"", b"three"]


def test_a_task_by_reference_has_no_digest() -> None:
    ((_, body),) = Records().feed(task_record(7, None, [b"one"], None))
    assert read_task(body).digest is None
    assert read_task(body).options == {}


def test_an_outcome_is_read_as_it_was_written() -> None:
    ((kind, body),) = Records().feed(outcome_record(Report(7, 1, 2.5, 3.5, [b"x", b"yz"])))
    report = read_outcome(body)
    assert (kind, *report[:4]) == (OUTCOME, 7, 1, 2.5, 3.5)
    assert [bytes(buffer) for buffer in report.buffers] == [b"x", b"yz"]


def test_forms_and_the_need_for_them_are_read_as_they_were_written() -> None:
    digest = bytes(range(16))
    (form, need) = Records().feed(form_record(digest, b"form") + need_record(digest))
    assert (form[0], read_form(form[1])) == (FORM, (digest, b"form"))
    assert (need[0], read_need(need[1])) == (NEED, digest)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 7, 1000])
def test_records_are_cut_however_the_bytes_come(size: int) -> None:
    written = [form_record(bytes(16), b"f" * length) for length in (0, 1, 5, 300)]
    stream = b"".join(written)
    records = Records()
    found = []
    for at in range(0, len(stream), size):
        found += [bytes(body) for _, body in records.feed(stream[at : at + size])]
    assert found == [record[5:] for record in written]
    assert records.wanted == 0


def test_what_a_record_still_lacks_is_known() -> None:
    written = form_record(bytes(16), b"f" * 100)
    records = Records()
    assert list(records.feed(written[:50])) == []
    assert records.wanted == len(written) - 50
