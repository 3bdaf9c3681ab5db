import random
from collections.abc import Sequence

from lamina.memo_log.framing import HEAD_SIZE, Damage, Frame, Scanner, frame, read_frame

NONCE = b"12345678"
BODIES = [b"header", b"", b"x" * 300, b"second", b"last one"]
LOG = b"".join(frame(2, NONCE, body) for body in BODIES)


def scanned(log: bytes, piece: int = 1 << 20) -> list[Frame | Damage]:
    scanner = Scanner()
    found: list[Frame | Damage] = []
    for start in range(0, len(log), piece):
        found += scanner.feed(log[start : start + piece])
    return found + list(scanner.end())


def bodies(found: Sequence[Frame | Damage]) -> list[bytes]:
    return [item.body for item in found if isinstance(item, Frame)]


def damages(found: Sequence[Frame | Damage]) -> list[Damage]:
    return [item for item in found if isinstance(item, Damage)]


def test_frames_are_found_whatever_the_pieces() -> None:
    for piece in (1, 3, HEAD_SIZE, 100, 1 << 20):
        found = scanned(LOG, piece)
        assert bodies(found) == BODIES
        assert not damages(found)
        assert found[0].offset == 0
        assert isinstance(found[-1], Frame)
        assert found[-1].end == len(LOG)


def test_a_flipped_byte_costs_the_frame_that_it_is_in_and_no_other() -> None:
    starts = [item.offset for item in scanned(LOG)]
    for at in range(len(LOG)):
        log = bytearray(LOG)
        log[at] ^= 0x55
        found = scanned(bytes(log))
        hit = max(n for n, start in enumerate(starts) if start <= at)
        expected = [body for n, body in enumerate(BODIES) if n != hit]
        assert bodies(found) == expected, at
        assert len(damages(found)) == 1, at


def test_a_cut_at_any_byte_of_the_last_frame_costs_that_one_only() -> None:
    last = scanned(LOG)[-1].offset
    for end in range(last, len(LOG)):
        found = scanned(LOG[:end])
        assert bodies(found) == BODIES[:-1], end
        assert [one.torn for one in damages(found)] == ([True] if end > last else [])


def test_lost_and_foreign_bytes_in_the_middle_cost_only_what_they_hit() -> None:
    second = scanned(LOG)[2].offset
    for log in (
        LOG[: second + 100] + LOG[second + 150 :],
        LOG[: second + 100] + b"\0" * 50 + LOG[second + 150 :],
        LOG[: second + 3] + LOG[second + 7 :],
    ):
        found = scanned(log)
        assert bodies(found) == [BODIES[0], BODIES[1], BODIES[3], BODIES[4]]
        assert len(damages(found)) == 1
        assert not damages(found)[0].torn


def test_a_log_inside_a_damaged_body_is_not_taken_for_records() -> None:
    inner = b"".join(frame(2, b"another!", body) for body in BODIES)
    log = bytearray(LOG + frame(2, NONCE, inner) + frame(2, NONCE, b"end"))
    log[len(LOG) + HEAD_SIZE] ^= 1
    assert bodies(scanned(bytes(log))) == [*BODIES, b"end"]
    log[len(LOG) + 5] ^= 1  # its head too, so that all of it is searched
    assert bodies(scanned(bytes(log))) == [*BODIES, b"end"]


def test_random_damage_never_invents_a_record() -> None:
    chance = random.Random(7)
    for _ in range(300):
        log = bytearray(LOG)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(log))
            if chance.random() < 0.5:
                log[at] = chance.randrange(256)
            else:
                del log[at : at + chance.randrange(40)]
        found = bodies(scanned(bytes(log), chance.choice([1, 7, 1000])))
        rest = iter(BODIES)
        assert all(body in rest for body in found)  # a subsequence


def test_garbage_is_one_damage() -> None:
    for garbage in (b"x", b"garbage" * 100, b"\0" * 5000):
        for piece in (1, 1000):
            assert scanned(garbage, piece) == [Damage(0, len(garbage), torn=False)]
    assert scanned(b"") == []


def test_a_frame_is_read_where_it_is() -> None:
    data = frame(3, NONCE, b"body")
    assert read_frame(data, 50, NONCE) == Frame(50, 3, NONCE, b"body")
    assert read_frame(data + b"more", 50, NONCE) is not None
    assert read_frame(data[:-1], 50, NONCE) is None
    assert read_frame(data, 50, b"87654321") is None
    assert read_frame(b"", 50, NONCE) is None
    assert read_frame(data[:-1] + b"?", 50, NONCE) is None


def test_a_scan_may_begin_in_the_middle() -> None:
    third = scanned(LOG)[2].offset
    scanner = Scanner(third, NONCE)
    found = list(scanner.feed(LOG[third:]))
    assert bodies(found) == BODIES[2:]
    assert found[0].offset == third
