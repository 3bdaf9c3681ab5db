import pickle

import pytest

from lamina.app_bodies import FutureStub
from lamina.vocabulary import WaitInsideTaskError


def test_nobody_waits_for_a_stub_wherever_it_has_travelled() -> None:
    stub = pickle.loads(pickle.dumps(FutureStub("inc (task 3)")))
    assert "inc (task 3)" in repr(stub)
    asked = (
        stub.result,
        stub.exception,
        stub.__await__,
        lambda: stub.done(),
        lambda: stub["a"],
        lambda: stub.rates,
    )
    for wait in asked:
        with pytest.raises(WaitInsideTaskError, match="join_app"):
            wait()
