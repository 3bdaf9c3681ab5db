import pytest

from lamina.htex_core.forms import KNOWN_LIMIT, Forms, Known

SHARED = [b"s", b"12345", True]


def filled(*, keeps: bool = False) -> Forms:
    forms = Forms(10, keeps=keeps)
    for entry in ([b"a", b"1234"], SHARED, [b"b", b"1234"]):
        forms.put(entry)
    return forms


def test_what_was_used_longest_ago_goes_first_once_it_is_too_much() -> None:
    forms = filled()
    assert forms.use(b"a") == b"1234"
    forms.trim(())
    assert [digest in forms for digest in (b"a", b"s", b"b")] == [True, False, True]
    assert (len(forms), forms.size) == (2, 8)


def test_what_is_needed_stays() -> None:
    forms = filled()
    forms.trim({b"a", b"s"})
    assert b"b" not in forms
    assert b"a" in forms


def test_what_is_kept_does_not_count_until_nobody_is_there_to_drop_it() -> None:
    forms = filled(keeps=True)
    forms.trim(())
    assert (len(forms), forms.kept) == (3, [b"s"])
    forms.keep_no_longer()
    assert forms.kept == []
    forms.trim(())
    assert b"a" not in forms
    forms.drop(b"s")
    forms.drop(b"s")
    assert forms.size == 4


def test_an_entry_says_whether_it_is_shared_and_the_first_one_counts() -> None:
    forms = filled()
    forms.put([b"s", b"other", True])
    assert forms.entry(b"s") == SHARED
    assert forms.entry(b"a") == [b"a", b"1234"]
    with pytest.raises(KeyError):
        forms.use(b"x")


def test_of_what_others_have_no_more_is_known_than_the_last_thousand() -> None:
    known = Known()
    digests = [number.to_bytes(16, "big") for number in range(KNOWN_LIMIT + 2)]
    for digest in digests[:-1]:
        known.add(digest)
    known.add(digests[1])  # not anew, so nothing is forgotten for it
    assert [digest in known for digest in digests] == [False, *[True] * KNOWN_LIMIT, False]
    known.drop(digests[1:3])
    known.add(digests[-1])
    assert len(known) == KNOWN_LIMIT - 1
    assert digests[1] not in known
