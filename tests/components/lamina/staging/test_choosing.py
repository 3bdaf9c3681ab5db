import pytest

from lamina.staging import (
    Direction,
    FileCopyStaging,
    Mode,
    NoStaging,
    Place,
    Registry,
    SharedFileStaging,
    Way,
)
from lamina.staging.choosing import way_of
from lamina.vocabulary import File
from tests.fakes.staging import FolderStaging

IN, OUT = Direction.IN, Direction.OUT


@pytest.mark.parametrize(
    "mode, place, shared, way",
    [
        (Mode.IN_PLACE, Place.NODES, True, Way.IN_PLACE),
        (Mode.IN_PLACE, Place.NODES, False, None),
        (Mode.IN_TASK, Place.NODES, True, Way.IN_TASK),
        (Mode.IN_TASK, Place.NODES, False, Way.IN_TASK),
        (Mode.SEPARATE, Place.NODES, True, Way.SEPARATE),
        (Mode.SEPARATE, Place.NODES, False, Way.IN_TASK),
        (Mode.IN_TASK, Place.CLIENT, True, Way.CLIENT),
        (Mode.SEPARATE, Place.CLIENT, True, Way.CLIENT),
        (Mode.IN_TASK, Place.CLIENT, False, Way.CARRIED),
    ],
)
def test_the_way_follows_from_mode_place_and_file_system(
    mode: Mode, place: Place, shared: bool, way: Way | None
) -> None:
    assert way_of(mode, place, shared=shared) is way


def test_the_least_trouble_wins_whatever_the_order() -> None:
    registry = Registry([FileCopyStaging(), SharedFileStaging()])
    assert registry.choose(File("x"), IN, "x", shared=True).way is Way.IN_PLACE
    assert registry.choose(File("x"), IN, "x", shared=False).way is Way.CARRIED


def test_among_equals_the_first_wins() -> None:
    first, second = FolderStaging("a", Mode.SEPARATE), FolderStaging("b", Mode.IN_TASK)
    for order in ([first, second], [second, first]):
        chosen = Registry(order).choose(File("fake://h/x"), IN, "x", shared=True)
        assert chosen.plugin is order[0]


def test_one_that_reaches_from_the_nodes_goes_before_one_that_needs_the_client() -> None:
    near, far = FolderStaging("a", place=Place.CLIENT), FolderStaging("b", Mode.SEPARATE)
    assert Registry([near, far]).choose(File("fake://h/x"), IN, "x", shared=False).plugin is far


def test_a_file_that_is_to_be_verified_is_not_opened_where_it_is() -> None:
    registry = Registry([SharedFileStaging(), FileCopyStaging(where="nodes")])
    assert registry.choose(File("x", size=3), IN, "x", shared=True).way is Way.IN_TASK
    assert registry.choose(File("x", size=3), OUT, "x", shared=True).way is Way.IN_PLACE


def test_where_nothing_serves_the_error_says_what_there_is() -> None:
    registry = Registry([SharedFileStaging(), FolderStaging("a", directions=(OUT,))])
    with pytest.raises(NoStaging, match="plug-ins for fake:, file:, and none for s3:"):
        registry.choose(File("s3://b/k"), IN, "x", shared=True)
    with pytest.raises(NoStaging, match="fake would not do"):
        registry.choose(File("fake://h/x"), IN, "x", shared=True)
    with pytest.raises(NoStaging, match="plug-ins for none"):
        Registry([]).choose(File("x"), IN, "x", shared=True)
