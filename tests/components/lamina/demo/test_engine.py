import pytest

from lamina.demo.engine import engine_named
from lamina.vocabulary import ConfigError


def test_threads_cannot_be_killed() -> None:
    engine = engine_named("threads", 3)
    assert (engine.name, engine.workers, engine.has_processes) == ("threads", 3, False)


def test_one_worker_per_core_is_the_default() -> None:
    assert engine_named(None, None).workers >= 1


@pytest.mark.parametrize("name, workers", [("threads", 0), ("nonsense", 1)])
def test_what_cannot_work_is_refused(name: str, workers: int) -> None:
    with pytest.raises(ConfigError):
        engine_named(name, workers)
