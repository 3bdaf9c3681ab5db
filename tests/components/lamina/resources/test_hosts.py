import pytest

from lamina.resources.hosts import Host, expand, read_hostfile, read_tasks_per_node
from lamina.vocabulary import ConfigError


@pytest.mark.parametrize(
    "text,names",
    [
        ("n1", ["n1"]),
        ("n1,m2", ["n1", "m2"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[08-11,20]", ["n08", "n09", "n10", "n11", "n20"]),
        ("r[1-2]n[3-4]x,login", ["r1n3x", "r1n4x", "r2n3x", "r2n4x", "login"]),
        ("", []),
    ],
)
def test_the_short_form_is_expanded(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize("text", ["n[1", "n[a]", "n[1-]", "n[]"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no list of nodes"):
        expand(text)


def test_counts_are_repeated() -> None:
    assert read_tasks_per_node("4(x2),3", 3) == [4, 4, 3]
    assert read_tasks_per_node("16", 1) == [16]
    with pytest.raises(ConfigError, match="for 3 nodes, and the block has 2"):
        read_tasks_per_node("4(x2),3", 2)
    with pytest.raises(ConfigError, match="no list of counts"):
        read_tasks_per_node("four", 1)
    with pytest.raises(ConfigError, match="no list of counts"):
        read_tasks_per_node("4(xb)", 1)


def test_a_hostfile_names_hosts_and_their_slots() -> None:
    text = """
    # the cluster
    n1            # takes what is usual
    n2 slots=4 max_slots=8
    n3:2
    """
    assert read_hostfile(text, 16) == [Host("n1", 16), Host("n2", 4), Host("n3", 2)]


def test_a_name_takes_as_many_ranks_as_it_has_lines() -> None:
    assert read_hostfile("n1\nn1\nn2\nn1\n", 16) == [Host("n1", 3), Host("n2", 16)]


@pytest.mark.parametrize("text", ["n1 slots=many", "n1:0", ":4"])
def test_a_line_that_cannot_be_read_is_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        read_hostfile(text, 1)


def test_an_empty_hostfile_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no host"):
        read_hostfile("# nothing\n\n", 1)
