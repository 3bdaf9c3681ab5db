from dataclasses import dataclass

from lamina.vocabulary import add_note, set_cause


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class DeafError(Exception):
    def add_note(self, note: str, /) -> None:
        raise NotImplementedError

    @property
    def __notes__(self) -> list[str]:
        raise NotImplementedError


def test_frozen_exceptions_have_notes_and_a_cause_as_others_have() -> None:
    cause = KeyError()
    for error in (FrozenError(3), ValueError()):
        add_note(error, "one")
        add_note(error, "two")
        set_cause(error, cause)
        assert error.__notes__ == ["one", "two"]
        assert error.__cause__ is cause


def test_an_exception_that_takes_no_note_goes_without() -> None:
    add_note(DeafError(), "one")
