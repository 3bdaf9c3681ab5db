from lamina.htex_core import MalformedFrame
from lamina.htex_wire import Refused


def test_it_says_so_ever_more_rarely() -> None:
    said: list[str] = []
    refused = Refused(said.append)
    for _ in range(1000):
        refused.one("a manager", MalformedFrame("its kind is no number"))
    assert refused.count == 1000
    assert len(said) == 10
    assert said[0] == "refused what a manager said, it is not a frame: its kind is no number\n"
    assert said[-1].endswith("(512 so far)\n")
