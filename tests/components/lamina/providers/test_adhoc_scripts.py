from lamina.providers.adhoc_scripts import read_look, read_start


def test_each_block_has_a_word() -> None:
    assert read_look("running\nended 3\nkilled\ngone\n", 4) == [
        ("running", None),
        ("ended", 3),
        ("killed", None),
        ("gone", None),
    ]


def test_an_answer_that_makes_no_sense_is_none() -> None:
    assert read_look("running\n", 2) is None
    assert read_look("Welcome to node 7!\nrunning\n", 2) is None
    assert read_start("17 12345\n")
    assert read_start("17 \n")
    assert not read_start("")
    assert not read_start("bash: no such file")
