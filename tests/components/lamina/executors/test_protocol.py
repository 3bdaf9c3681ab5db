import pickle
from pathlib import Path

from lamina.executors import AlreadyStartedError, NotStartedError, Site
from lamina.vocabulary import SystemClock


def test_errors_name_the_executor_and_survive_pickle():
    for error in [AlreadyStartedError("pool"), NotStartedError("pool")]:
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert copy.label == "pool"
        assert "'pool'" in str(error)


def test_a_site_has_the_clock_of_this_machine_unless_told_otherwise():
    assert isinstance(Site(run_dir=Path()).clock, SystemClock)
