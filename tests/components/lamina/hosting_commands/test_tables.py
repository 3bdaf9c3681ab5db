from lamina.hosting_commands import table


def test_columns_are_in_line_and_the_last_one_is_free() -> None:
    rows = [("name", "state", "reason"), ("long name", "on", ""), ("x", "off", "a, b and c")]
    assert table(rows).splitlines() == [
        "name       state  reason",
        "long name  on",
        "x          off    a, b and c",
    ]


def test_nothing_is_no_table() -> None:
    assert table([]) == ""
