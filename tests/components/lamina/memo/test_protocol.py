from lamina.memo import Miss


def test_a_miss_finds_out_more_when_it_is_asked() -> None:
    asked: list[int] = []

    def explain() -> str:
        asked.append(1)
        return "argument 2 differs"

    miss = Miss("no such call was recorded", explain)
    assert not asked
    assert miss.why() == "argument 2 differs"
    assert Miss("nothing is remembered").why() == "nothing is remembered"
