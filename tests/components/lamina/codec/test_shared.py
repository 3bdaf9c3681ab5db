import gc
import pickle
import weakref

import pytest

from lamina.codec import (
    OUT_OF_BAND,
    Content,
    PickleCodec,
    Shared,
    any_shared,
    fetch_from,
    gather_again,
    gathering,
    is_gathering,
    load_content,
    resolved,
)
from lamina.vocabulary import SerializationError

DUMP = PickleCodec().dump
LARGE = bytearray(3 * OUT_OF_BAND)


def by_digest(handle: Shared[object]) -> tuple[bytes, dict[bytes, Content]]:
    with gathering() as found:
        assert is_gathering()
        return pickle.dumps(["before", handle]), found


@pytest.mark.parametrize("value", [[1, "two"], LARGE, {"a": LARGE, "b": bytes(LARGE)}])
def test_a_pickle_holds_the_object_unless_somebody_gathers(value: object) -> None:
    handle = Shared(value, DUMP)
    assert handle.value is value
    assert pickle.loads(pickle.dumps([handle])) == [value]
    assert not is_gathering()


@pytest.mark.parametrize("value", [[1, "two"], LARGE])
def test_within_gathering_it_holds_the_digest_and_is_read_from_a_source(value: object) -> None:
    handle = Shared(value, DUMP)
    data, found = by_digest(handle)
    assert len(data) < 200
    assert [*found] == [handle.digest]
    with pytest.raises(SerializationError, match="only by a task that was given its handle"):
        pickle.loads(data)
    try:
        fetch_from(lambda digest: load_content(digest, found[digest].data))
        assert pickle.loads(data) == ["before", value]
    finally:
        fetch_from(no_source)


def no_source(digest: bytes) -> object:
    raise SerializationError("only by a task that was given its handle")


def test_handles_to_equal_pickles_have_one_content_while_one_lives() -> None:
    one, two = Shared((1, 2), DUMP), Shared((1, 2), DUMP)
    other = Shared((1, 3), DUMP)
    assert one.digest == two.digest != other.digest
    assert len(one.digest) == 16
    content = weakref.ref(by_digest(one)[1][one.digest])
    del one
    gc.collect()
    assert content() is not None
    del two
    gc.collect()
    assert content() is None


def test_other_bytes_than_those_of_the_digest_are_refused() -> None:
    handle = Shared([1], DUMP)
    with pytest.raises(SerializationError, match="is not it"):
        load_content(bytes(16), by_digest(handle)[1][handle.digest].data)


def test_what_was_gathered_before_can_be_gathered_again() -> None:
    found = [*by_digest(Shared([1], DUMP))[1].values()]
    gather_again(found)  # by nobody
    with gathering() as again:
        with gathering() as inner:
            pass
        gather_again(found)
    assert inner == {}
    assert [*again.values()] == found


def test_handles_in_containers_become_their_objects_and_others_stay_what_they_are() -> None:
    handle = Shared([1], DUMP)
    assert any_shared()
    plain = ([1], {"a": (2,)}, {3})
    assert resolved(plain) is plain
    assert resolved(handle) is handle.value
    deep = [plain, {"a": (handle, 2)}]
    assert resolved(deep) == [plain, {"a": ([1], 2)}]
    assert resolved(deep)[0] is plain


def test_its_text_says_what_it_is() -> None:
    handle = Shared(bytes(100), DUMP)
    assert handle.size > 100
    assert repr(handle) == f"<shared bytes of {handle.size} bytes, {handle.digest.hex()[:12]}>"


def test_what_cannot_be_pickled_cannot_be_shared() -> None:
    with pytest.raises(SerializationError, match="cannot be pickled"):
        Shared((each for each in ()), DUMP)
