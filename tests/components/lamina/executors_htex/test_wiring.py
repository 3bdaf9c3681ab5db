import math
import threading
from typing import Any

import pytest

from lamina.codec import Content, PickleCodec, Shared
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.executors import Call, Payload, TaskRequest
from lamina.executors_htex.wiring import unsendable, write, write_initializer
from lamina.htex_core import QueuedTask, comparable, unwrapped
from lamina.vocabulary import (
    AttemptId,
    Cause,
    ConfigError,
    HasStarted,
    Resources,
    SerializationError,
)

ATTEMPT = AttemptId(7)


def test_a_call_without_options_says_nothing_of_them() -> None:
    (attempt, digest, buffers, options), priority, form = write(
        TaskRequest(ATTEMPT, Call(abs, (-3,)), priority=2.0), PickleCodec()
    )
    assert (attempt, digest, options, priority, form) == (7, None, None, 2.0, None)
    function, args, kwargs = PickleCodec().load_call(buffers, None)
    assert function(*args, **kwargs) == 3


def test_walltime_and_environment_are_its_options() -> None:
    task = TaskRequest(ATTEMPT, Call(abs, (-3,)), walltime=0, env={"A": "1"})
    (_, _, _, options), _, _ = write(task, PickleCodec())
    assert options == {"walltime": 0, "env": {"A": "1"}}


@pytest.mark.parametrize("limit, said", [(0, 0), (2**30, 2**30), (2**80, 2**63 - 1)])
def test_a_memory_limit_is_an_option_that_the_wire_has_room_for(limit: int, said: int) -> None:
    task = TaskRequest(ATTEMPT, Call(abs, (-3,)), memory_limit=limit)
    assert write(task, PickleCodec())[0][3] == {"memory_limit": said}


def test_what_it_asks_for_is_an_option_unless_that_is_nothing() -> None:
    task = TaskRequest(ATTEMPT, Call(abs, (-3,)), resources=Resources(cores=2, memory="1 KiB"))
    assert write(task, PickleCodec())[0][3] == {"resources": {"cores": 2, "memory": 1024}}
    task = TaskRequest(ATTEMPT, Call(abs, (-3,)), resources=Resources())
    assert write(task, PickleCodec())[0][3] is None


def test_hints_are_an_option_and_are_text_and_numbers() -> None:
    hints = {"near": "n1", "cost": 1.5, "n": -3}
    task = TaskRequest(ATTEMPT, Call(abs, (-3,)), hints=hints)
    assert write(task, PickleCodec())[0][3] == {"hints": hints}
    for bad in ({"a": object()}, {"a": 2**64}, {1: "a"}):
        task = TaskRequest(ATTEMPT, Call(abs, (-3,)), hints=bad)
        with pytest.raises(SerializationError, match="hints are text and numbers"):
            write(task, PickleCodec())


@pytest.mark.parametrize(
    "options",
    [
        {"resources": Resources(cores=float("inf"))},
        {"resources": Resources(memory=2**70)},
        {"resources": Resources(extra={"exclusive": True})},
        {"resources": Resources(extra={"licences": ["a", "b"]})},  # type: ignore[dict-item]
        {"walltime": True},
        {"walltime": 10**30},
        {"env": {"A": "what no UTF-8 can say: \udcff"}},
        {"env": {"A": 1}},
    ],
)
def test_options_that_the_interchange_would_refuse_fail_their_task_alone(
    options: dict[str, Any],
) -> None:
    """It would drop the whole frame, and whatever else is in it would wait for ever."""
    with pytest.raises(SerializationError, match="cannot be sent"):
        write(TaskRequest(ATTEMPT, Call(abs, (-3,)), **options), PickleCodec())


def test_a_priority_that_is_no_number_fails_its_task_alone() -> None:
    """The queue would lose its order by it, and with it every other task."""
    with pytest.raises(SerializationError, match="NaN"):
        write(TaskRequest(ATTEMPT, Call(abs, (-3,)), priority=math.nan), PickleCodec())


def test_an_order_says_its_rank_and_sees_what_is_known_of_it() -> None:
    class Order:
        def key(self, task: QueuedTask) -> object:
            return task

    task = TaskRequest(
        ATTEMPT, Call(abs, (-3,)), "abs", priority=2, walltime=9, expected=3, hints={"a": 1}
    )
    seen: list[QueuedTask] = []

    class Noting:
        def key(self, task: QueuedTask) -> object:
            seen.append(task)
            return ("b", None)

    _, rank, _ = write(task, PickleCodec(), Noting())
    assert rank == comparable(("b", None))
    assert seen == [QueuedTask("abs", 2, 3, 9, {"a": 1})]
    with pytest.raises(TypeError):
        write(task, PickleCodec(), Order())


def test_a_payload_goes_as_it_is_with_the_name_of_its_runner() -> None:
    task = TaskRequest(ATTEMPT, Payload("binascii:hexlify", b"\x01"), env={"A": "1"})
    assert write(task, PickleCodec()) == (
        (7, None, (b"\x01",), {"env": {"A": "1"}, "runner": "binascii:hexlify"}),
        0,
        None,
    )


def test_a_function_by_value_is_named_by_its_digest() -> None:
    bound = 5

    def local(x: int) -> int:
        return x + bound

    (_, digest, buffers, _), _, form = write(
        TaskRequest(ATTEMPT, Call(local, (1,))), CloudpickleCodec()
    )
    assert isinstance(digest, bytes)
    assert form is not None
    codec = CloudpickleCodec()
    function, args, kwargs = codec.load_call(buffers, codec.load_function(form))
    assert function(*args, **kwargs) == 6


def test_what_cannot_be_written_certainly_has_not_started() -> None:
    task = TaskRequest(ATTEMPT, Call(abs, (threading.Lock(),)), name="the task")
    with pytest.raises(SerializationError) as caught:
        write(task, PickleCodec())
    for error in (caught.value, ZeroDivisionError("in a __reduce__")):
        failure = unsendable(task, error).failure
        assert failure is not None
        assert (failure.cause, failure.started) == (Cause.SERIALIZATION, HasStarted.NO)
        assert isinstance(failure.error, SerializationError)
        assert "cannot be pickled" in str(failure.error)


def test_without_an_initializer_there_is_nothing_to_write() -> None:
    assert write_initializer(None, (1,), PickleCodec()) is None


def test_an_initializer_is_a_call_for_every_worker() -> None:
    written = write_initializer(divmod, (7, 2), PickleCodec())
    assert written is not None
    assert (written.digest, written.form) == (None, None)
    function, args, kwargs = PickleCodec().load_call(written.buffers, None)
    assert function(*args, **kwargs) == (3, 1)
    by_value = write_initializer(lambda: 5, (), CloudpickleCodec())
    assert by_value is not None
    assert by_value.form is not None
    assert CloudpickleCodec().load_function(by_value.form)() == 5


def test_an_initializer_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(ConfigError, match="the initializer and its initargs cannot be sent"):
        write_initializer(abs, (threading.Lock(),), PickleCodec())


def test_what_it_is_expected_to_take_and_nodes_to_avoid_are_among_the_options() -> None:
    task = TaskRequest(AttemptId(7), Call(abs, (-3,)), expected=4.0, avoid={"n2", "n1"})
    (_, _, _, options), _, _ = write(task, PickleCodec())
    assert options == {"expected": 4.0, "avoid": ["n1", "n2"]}


def test_what_a_task_shares_is_noted_and_goes_by_digest() -> None:
    handle = Shared(bytes(100_000), PickleCodec().dump)
    shared: dict[int, list[Content]] = {}
    (_, _, buffers, _), _, _ = write(
        TaskRequest(ATTEMPT, Call(len, ([handle],))), PickleCodec(), shared=shared
    )
    assert sum(map(len, buffers)) < 1000
    assert [content.digest for content in shared[ATTEMPT]] == [handle.digest]
    write(TaskRequest(AttemptId(8), Call(len, ([1],))), PickleCodec(), shared=shared)
    assert [*shared] == [ATTEMPT]
    (_, _, buffers, _), _, _ = write(TaskRequest(ATTEMPT, Call(len, (handle,))), PickleCodec())
    function, args, _ = PickleCodec().load_call([unwrapped(each) for each in buffers], None)
    assert function(*args) == 100_000
