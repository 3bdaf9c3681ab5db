"""What a node answers, played by an endpoint whose tasks run in threads of this program."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.executors import ThreadPoolExecutor
from lamina.hosting import Endpoint, EndpointConfig, Finding
from lamina.hosting.doctor_node import of_addresses, of_clock, of_directory, of_node, of_packages

PATIENCE = 30.0  # seconds


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with Endpoint(EndpointConfig(executors=[ThreadPoolExecutor()], run_dir=tmp_path)) as one:
        yield one


def test_each_address_has_a_line_with_what_became_of_it(endpoint: Endpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        good, bad = listener.getsockname()[1], bound.getsockname()[1]
        names = [f"tcp://127.0.0.1:{good}", f"tcp://127.0.0.1:{bad}", "tcp://[::1]:1"]
        found = of_addresses(endpoint, names, PATIENCE)
        first, second, third = found.says.splitlines()
        assert first.split() == [f"127.0.0.1:{good}", "reached"]
        assert "Connection refused" in second
        assert third.startswith("[::1]:1 ")
        assert found.well
        assert not of_addresses(endpoint, names[1:], PATIENCE).well


def test_a_unix_socket_is_no_address_to_try(endpoint: Endpoint) -> None:
    found = of_addresses(endpoint, ["ipc:///tmp/x"], PATIENCE)
    assert found == Finding("addresses", True, "a Unix socket, since the node is this host")


def test_versions_are_compared(endpoint: Endpoint) -> None:
    found = of_packages(endpoint, ["attrs", "no-such-package"], PATIENCE)
    assert found.well
    assert found.says.startswith("attrs ")
    assert "no-such" not in found.says


def test_a_node_without_blocks_is_asked_all_but_its_way_back(endpoint: Endpoint) -> None:
    label = next(iter(endpoint.executors))
    names = [one.what for one in of_node(endpoint, label, PATIENCE)]
    assert names == ["Python", "packages", "node", "clock"]


def test_a_directory_is_shared_where_what_is_written_here_is_read_there(endpoint: Endpoint) -> None:
    found = of_directory(endpoint, PATIENCE)
    assert found.well
    assert found.says == f"{endpoint.site.run_dir} is the same there"


@pytest.mark.parametrize(
    "skew, trip, well, says",
    [
        (0.001, 0.004, True, "the same, as far as 2 ms can tell"),
        (0.5, 0.004, True, "0.500 s ahead of ours"),
        (-90.0, 0.004, False, "90.000 s behind ours"),
    ],
)
def test_clocks_are_compared_as_closely_as_the_trip_allows(
    skew: float, trip: float, well: bool, says: str
) -> None:
    assert of_clock(skew, trip) == Finding("clock", well, says)
