import pytest

from lamina.retry_policy import Attempt, TaskRecord
from lamina.vocabulary import Resources
from tests.fakes.troubles import failed, trouble


@pytest.fixture
def record() -> TaskRecord:
    attempts = tuple(
        Attempt(failure=failed(error=ValueError(n)), executor="htex", cost=0.5) for n in range(3)
    )
    return TaskRecord(
        trouble(
            *[attempt.failure for attempt in attempts],
            attempts=attempts,
            name="fetch",
            id=7,
            resources=Resources(cores=2, memory="1 GiB"),
        )
    )


def test_it_has_the_keys_that_users_of_handlers_know(record: TaskRecord) -> None:
    assert dict(record) == {
        "id": 7,
        "func_name": "fetch",
        "try_id": 2,
        "fail_count": 3,
        "fail_cost": 1.0,
        "fail_history": ["ValueError(0)", "ValueError(1)", "ValueError(2)"],
        "executor": "htex",
        "resource_specification": {"cores": 2, "memory": 2**30},
    }
    assert len(record) == len(dict(record))


def test_a_key_is_an_attribute_as_well(record: TaskRecord) -> None:
    assert all(getattr(record, key) == value for key, value in record.items())


def test_all_else_is_in_its_trouble(record: TaskRecord) -> None:
    assert record.trouble.cause is record.trouble.failure.cause


def test_a_key_that_it_lacks_is_named_with_those_that_it_has(record: TaskRecord) -> None:
    with pytest.raises(KeyError, match="no 'args'; it has id, func_name"):
        record["args"]
    assert record.get("args") is None


def test_nothing_can_be_written_to_it(record: TaskRecord) -> None:
    with pytest.raises(TypeError):
        record["executor"] = "other"  # type: ignore[index]
    with pytest.raises(AttributeError):
        record.executor = "other"  # type: ignore[misc]


def test_its_text_is_what_it_has(record: TaskRecord) -> None:
    assert "'func_name': 'fetch'" in repr(record)


def test_a_task_of_no_app_is_called_what_messages_call_it() -> None:
    bare = TaskRecord(trouble(failed()))
    assert bare.func_name == "t"
    assert bare.resource_specification == {}
