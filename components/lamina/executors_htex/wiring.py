"""Task requests as they go over the wire."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from lamina.codec import CallForm, Codec, Content, gathering
from lamina.executors import Call, Outcome, Payload, TaskRequest
from lamina.htex_core import (
    TASKS,
    MalformedFrame,
    QueuedTask,
    QueueOrder,
    WireTask,
    WrittenCall,
    comparable,
    pack,
    unpack,
    well_formed,
    wrapped,
)
from lamina.resources import write_wanted
from lamina.vocabulary import Cause, ConfigError, Failure, HasStarted, SerializationError

__all__ = ["Written", "rank_of", "unsendable", "write", "write_initializer"]

_WHOLE = 2**63  # beyond it, msgpack has no room
_NO_HINTS: Mapping[str, Any] = MappingProxyType({})

Written = tuple[WireTask, Any, bytes | None]
"""The task, its rank in the queue, and the form of its function, if it is one."""


def write(
    task: TaskRequest,
    codec: Codec,
    order: QueueOrder | None = None,
    shared: dict[int, list[Content]] | None = None,
) -> Written:
    """Write down an attempt; runs the user's own pickling code, and asks the order for its rank.

    Without an order, the rank is the priority. What it shares with other tasks is noted in
    ``shared`` and goes by digest; where that is None, by value.

    Raises:
        Exception: Whatever that code raises.
    """
    options: dict[str, Any] | None = None
    if task.walltime is not None:
        options = {"walltime": task.walltime}
    if task.memory_limit is not None:
        options = options or {}
        options["memory_limit"] = min(task.memory_limit, _WHOLE - 1)
    if task.env:
        options = options or {}
        options["env"] = dict(task.env)
    if task.resources is not None and (wanted := write_wanted(task.resources)):
        options = options or {}
        options["resources"] = wanted
    if task.expected is not None:
        options = options or {}
        options["expected"] = task.expected
    if task.avoid:
        options = options or {}
        options["avoid"] = sorted(task.avoid)
    if task.hints:
        options = options or {}
        options["hints"] = _plain(task.hints)
    if options is not None:
        _check(options)
    rank = task.priority if order is None else rank_of(task, order)
    if rank != rank:
        why = "its priority is NaN, which is neither high nor low"
        raise SerializationError(why, HasStarted.NO)
    call = task.call
    if isinstance(call, Payload):
        options = options or {}
        options["runner"] = call.runner
        return (task.attempt, None, (wrapped(call.data),), options), rank, None
    if shared is None:
        form = codec.dump_call(call.function, call.args, call.kwargs)
    else:
        form = _gathered(task.attempt, call, codec, shared)
    function = form.function
    buffers = tuple(map(wrapped, form.buffers))
    if function is None:
        return (task.attempt, None, buffers, options), rank, None
    wire = (task.attempt, function.digest, buffers, options)
    return wire, rank, function.form


def _gathered(attempt: int, call: Call, codec: Codec, shared: dict[int, list[Content]]) -> CallForm:
    with gathering() as found:
        form = codec.dump_call(call.function, call.args, call.kwargs)
    if found:
        shared[attempt] = [*found.values()]
    return form


def write_initializer(
    function: Callable[..., object] | None, arguments: tuple[Any, ...], codec: Codec
) -> WrittenCall | None:
    """What each worker is to call first.

    Raises:
        ConfigError: It cannot be sent; the text says why.
    """
    if function is None:
        return None
    try:
        form = codec.dump_call(function, tuple(arguments), {})
    except Exception as error:  # whatever the user's classes do while they are pickled
        msg = f"the initializer and its initargs cannot be sent to workers: {error}"
        raise ConfigError(msg) from error
    digest, content = form.function or (None, None)
    return WrittenCall(digest, content, [*map(bytes, form.buffers)])


def rank_of(task: TaskRequest, order: QueueOrder) -> Any:
    """Where the order puts a task; any two ranks can be compared.

    Raises:
        TypeError: Its key is not what a key must be.
        Exception: Whatever the order raises.
    """
    queued = QueuedTask(
        task.name, task.priority, task.expected, task.walltime, task.hints or _NO_HINTS
    )
    return comparable(order.key(queued))


def _check(options: dict[str, Any]) -> None:
    """Refuse here what the interchange would: it would drop all tasks that go along with it."""
    try:
        data = pack(TASKS, 0, [[0, None, [], options]])
        if not well_formed(TASKS, [[0, None, [], options]], "client"):
            unpack(data, "client")  # numbers of other classes than Python's own are plain there
    except (MalformedFrame, TypeError, ValueError) as error:
        why = f"what is asked for this task cannot be sent: {options!r:.300}"
        raise SerializationError(why, HasStarted.NO) from error


def _plain(hints: Mapping[Any, Any]) -> dict[str, Any]:
    for name, value in hints.items():
        fits = isinstance(value, str | float) or (isinstance(value, int) and abs(value) < _WHOLE)
        if not isinstance(name, str) or not fits:
            why = f"the hint {name!r:.100} is {value!r:.100}; hints are text and numbers"
            raise SerializationError(why, HasStarted.NO)
    return dict(hints)


def unsendable(task: TaskRequest, error: Exception) -> Outcome:
    """What becomes of an attempt that cannot be written."""
    if not isinstance(error, SerializationError):
        why = f"{task.name or 'the call'} cannot be pickled: {type(error).__name__}: {error}"
        wrapped = SerializationError(why, HasStarted.NO)
        wrapped.__cause__ = error
        error = wrapped
    failure = Failure(cause=Cause.SERIALIZATION, error=error, started=HasStarted.NO)
    return Outcome(task.attempt, failure=failure)
