from lamina.executors import Call
from lamina.kernel import TaskSpec
from lamina.kernel.task import Task
from lamina.vocabulary import AttemptId, TaskId


def test_a_request_carries_what_the_caller_asked_for() -> None:
    spec = TaskSpec(function=len, name="f", priority=2, walltime=3, expected=4, env={"A": "1"})
    task = Task(TaskId(7), spec, (), args=("x",), kwargs={}, avoid=("n1",), attempt=AttemptId(9))
    request = task.request()
    assert task.described == "f (task 7)"
    assert request.attempt == 9
    assert request.call == Call(len, ("x",), {})
    assert (request.name, request.priority, request.walltime) == ("f", 2, 3)
    assert (request.expected, request.env, request.avoid) == (4, {"A": "1"}, ("n1",))
    assert request.memory_limit is None
