from lamina.executors import Call
from lamina.kernel import TaskOptions, TaskSpec
from lamina.kernel.task import Task
from lamina.vocabulary import AttemptId, TaskId


def test_a_request_carries_what_the_caller_asked_for() -> None:
    options = TaskOptions(priority=2, walltime=3, expected=4, env={"A": "1"})
    spec = TaskSpec(len, name="f", options=options)
    task = Task(TaskId(7), spec, (), None, None, ("x",), {}, ("n1",), AttemptId(9))
    request = task.request()
    assert task.described == "f (task 7)"
    assert request.attempt == 9
    assert request.call == Call(len, ("x",), {})
    assert (request.name, request.priority, request.walltime) == ("f", 2, 3)
    assert (request.expected, request.env, request.avoid) == (4, {"A": "1"}, ("n1",))
    assert request.memory_limit is None
