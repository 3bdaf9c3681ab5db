import pytest

from lamina.htex_wire.endpoints import PROBE, Endpoint, is_loopback, parse


@pytest.mark.parametrize(
    "name, endpoint",
    [
        ("tcp://node1:4000", Endpoint(("node1",), range(4000, 4001), PROBE)),
        ("tcp://*:*", Endpoint(("*",), range(0), PROBE)),
        ("tcp://10.0.0.1,[::2]:5-8?probe=0.5", Endpoint(("10.0.0.1", "::2"), range(5, 8), 0.5)),
        ("ipc:///tmp/a b/c", Endpoint((), range(0), PROBE, "/tmp/a b/c")),
    ],
)  # fmt: skip
def test_a_name_says_where_and_for_how_long(name: str, endpoint: Endpoint) -> None:
    assert parse(name) == endpoint


@pytest.mark.parametrize(
    "name",
    ["", "node1:4000", "tcp://node1", "tcp://:4000", "tcp://a:b", "ipc://", "udp://a:1", "tcp://a:1?x=2"],
)  # fmt: skip
def test_what_names_no_interchange_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names no interchange"):
        parse(name)


def test_each_host_is_a_way_to_it() -> None:
    assert parse("tcp://node1,[fd00::2]:40").addresses() == ["tcp://node1:40", "tcp://[fd00::2]:40"]
    assert parse("ipc:///tmp/x").addresses() == ["ipc:///tmp/x"]


def test_the_name_of_where_it_listens_can_be_read_again() -> None:
    asked = parse("tcp://*:*?probe=2.5")
    name = asked.at(("10.0.0.1", "fd00::2", "node1"), 4000)
    assert name == "tcp://10.0.0.1,[fd00::2],node1:4000?probe=2.5"
    assert parse(name) == Endpoint(("10.0.0.1", "fd00::2", "node1"), range(4000, 4001), 2.5)


def test_everywhere_is_a_star() -> None:
    assert parse("tcp://*:*").everywhere
    assert not parse("tcp://node1:*").everywhere


def test_loopback_is_what_nobody_else_can_reach() -> None:
    assert [host for host in ("localhost", "127.0.0.9", "::1") if not is_loopback(host)] == []
    assert [host for host in ("node1", "10.0.0.1", "fd00::1", "0.0.0.0") if is_loopback(host)] == []
