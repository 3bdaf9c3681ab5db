from lamina.resources import in_words, read_wanted, write_wanted
from lamina.vocabulary import Resources


def test_what_is_asked_for_is_the_same_at_the_other_end() -> None:
    wanted = Resources(cores=1.5, memory="1 GiB", ranks=4, extra={"launcher_options": "-v"})
    said = write_wanted(wanted)
    assert said == {
        "cores": 1.5,
        "memory": 2**30,
        "ranks": 4,
        "extra": {"launcher_options": "-v"},
    }
    assert read_wanted(said) == wanted
    assert write_wanted(Resources()) == {}


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert read_wanted({"cores": 2, "qubits": 3}) == Resources(cores=2)


def test_messages_say_it_in_words() -> None:
    assert in_words({"cores": 2, "accelerators": 0.5}) == "2 cores, 0.5 accelerators"
    assert in_words({"extra": {"disk": 3}}) == "disk=3"
    assert in_words({}) == "nothing"
