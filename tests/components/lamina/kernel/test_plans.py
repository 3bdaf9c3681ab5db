from pathlib import Path
from typing import Any

import pytest

from lamina.kernel.plans import Plan, Reach, files_of, plan_of
from lamina.staging import (
    Carried,
    Content,
    Desk,
    FileCopyStaging,
    Mode,
    NoStaging,
    Place,
    Registry,
    SharedFileStaging,
    Slot,
    Staging,
    bring,
    bring_content,
    take,
    take_content,
)
from lamina.vocabulary import ConfigError, File
from tests.fakes.staging import FolderStaging

HOME = Desk("r", 100, "/home-of-the-program")
X, Y = File("fake://h/x"), File("fake://h/y")


def reach(*plugins: Staging, shared: bool = True, own: bool = True) -> Reach:
    desk = Desk("r", 100, "/shared" if shared else None)
    return Reach("x", Registry([SharedFileStaging(), *plugins]), shared, own, desk)


def plan(
    where: Reach, *args: Any, outputs: tuple[File, ...] = (), sandbox: bool = False, **kwargs: Any
) -> Plan | None:
    return plan_of(
        "t", print, args, kwargs, outputs, reach=where, home=HOME, attempt="7", sandbox=sandbox
    )


def test_what_is_opened_where_it_is_needs_no_plan() -> None:
    assert plan(reach(), File("a"), outputs=(File("b"),)) is None


def test_the_user_s_arguments_stay_as_they_are() -> None:
    given = [X, 1]
    made = plan(reach(FolderStaging("f")), given)
    assert made is not None
    assert made.args == ([Slot(0), 1],)
    assert given == [X, 1]


def test_an_input_that_occurs_twice_is_moved_once_and_outputs_have_the_first_slots() -> None:
    made = plan(reach(FolderStaging("f")), X, {"k": X}, outputs=(Y,), out=[Y])
    assert made is not None
    assert made.args == (Slot(1), {"k": Slot(1)})
    assert made.kwargs == {"out": [Slot(0)]}
    assert len(made.body.inputs) == len(made.body.outputs) == 1
    assert (made.before, made.after) == ([], {})


def test_under_outputs_an_equal_url_is_the_output_and_elsewhere_an_input() -> None:
    made = plan(reach(FolderStaging("f")), File(X.url), outputs=(X,), outputs_=0)
    assert made is not None
    assert len(made.body.inputs) == 1
    files = files_of((File(X.url), X), {"outputs": [File(X.url)]}, (X,))
    assert files == [X]


@pytest.mark.parametrize(
    "mode, place, shared, before, after, on_client",
    [
        (Mode.SEPARATE, Place.NODES, True, bring, take, False),
        (Mode.IN_TASK, Place.CLIENT, True, bring, take, True),
        (Mode.IN_TASK, Place.CLIENT, False, bring_content, take_content, True),
    ],
)
def test_tasks_of_their_own_run_where_the_plugin_can(
    mode: Mode, place: Place, shared: bool, before: Any, after: Any, on_client: bool
) -> None:
    made = plan(reach(FolderStaging("f", mode, place), shared=shared), X, outputs=(Y,))
    assert made is not None
    (errand,) = made.before
    assert (errand.function, errand.on_client) == (before, on_client)
    assert errand.args[2] == (HOME if not shared else Desk("r", 100, "/shared"))
    content = Content(True, (("", b"1"),))
    (later,) = made.errands_after(Carried(3, {0: content}) if not shared else 3)
    assert (later.function, later.on_client) == (after, on_client)
    assert later.args[2] == ("/shared/kept/r/7-0" if shared else content)
    assert made.value == 3


def test_what_was_brought_is_known_to_the_worker() -> None:
    made = plan(reach(FolderStaging("f", place=Place.CLIENT)), X)
    assert made is not None
    made.came(0, "key", None)
    call = made.call()
    assert call.function is made.body
    assert made.body.inputs[0].key == "key"


def test_in_a_sandbox_plain_files_are_found_from_elsewhere() -> None:
    made = plan(reach(), File("a"), outputs=(File("b"),), sandbox=True)
    assert made is not None
    assert made.body.sandbox
    assert made.body.inputs[0].plugin is None
    assert made.body.outputs[0].plugin == FileCopyStaging(where="nodes")
    with pytest.raises(ConfigError, match="share a process"):
        plan(reach(own=False), sandbox=True)


def test_what_nothing_moves_is_refused() -> None:
    with pytest.raises(NoStaging, match="bring fake://h/x to executor 'x'"):
        plan(reach(), X)
    with pytest.raises(NoStaging, match="take fake://h/x from executor 'x'"):
        plan(reach(), outputs=(X,))
    with pytest.raises(NoStaging):
        plan(reach(shared=False), File(Path("a")))
