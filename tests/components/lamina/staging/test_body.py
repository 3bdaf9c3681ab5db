import contextlib
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from lamina.app_bodies import BashBody, MissingOutputs, StdStream
from lamina.staging import Carried, Desk, FileCopyStaging, Inbound, Outbound, Slot, StagedBody
from lamina.vocabulary import File, HasStarted, StagingFailed
from tests.fakes.staging import FolderStaging

X = File("fake://h/x")


def desk(tmp_path: Path) -> Desk:
    return Desk("r", 10**6, str(tmp_path / "w"))


def copy(source: File, target: File) -> str:
    Path(target).write_text(Path(source).read_text())
    return Path(source).name


def body(tmp_path: Path, function: Any = copy, **parts: Any) -> StagedBody:
    return StagedBody(function, "copy (task 0)", desk(tmp_path), **parts)


def test_files_are_brought_before_the_call_and_taken_away_after_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    plugin = FolderStaging(str(tmp_path))
    run = body(
        tmp_path, inputs=(Inbound(X, plugin),), outputs=(Outbound(File("fake://h/y"), plugin),)
    )
    assert run(Slot(1), Slot(0)) == "x"
    assert (tmp_path / "y").read_text() == "1"
    assert plugin.log() == ["fetch x", "store y"]
    assert os.listdir(tmp_path / "w" / "tasks") == []


def test_a_copy_in_the_cache_is_not_brought_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    plugin = FolderStaging(str(tmp_path))
    run = body(tmp_path, lambda file: Path(file).read_text(), inputs=(Inbound(X, plugin),))
    assert [run(Slot(0)), run(Slot(0))] == ["1", "1"]
    assert plugin.log() == ["fetch x"]


def test_content_that_came_with_the_call_needs_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    from lamina.staging import bring_content

    found = bring_content(X, FolderStaging(str(tmp_path)), Desk("r", 1, str(tmp_path / "home")))
    run = body(
        tmp_path,
        lambda file: Path(file).read_text(),
        inputs=(Inbound(X, None, found.key, found.content),),
    )
    assert run(Slot(0)) == "1"


def test_a_copy_that_somebody_else_made_and_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    run = body(tmp_path, lambda file: None, inputs=(Inbound(X, None, "k"),))
    with pytest.raises(StagingFailed, match="not in") as caught:
        run(Slot(0))
    assert (caught.value.started, caught.value.again) == (HasStarted.NO, True)


def test_an_output_goes_back_with_the_result_or_to_where_it_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    out = File("fake://h/y")
    inputs = (Inbound(File(tmp_path / "x")),)
    carried = body(tmp_path, inputs=inputs, outputs=(Outbound(out),))(Slot(1), Slot(0))
    assert isinstance(carried, Carried)
    assert (carried.value, carried.contents[0].parts) == ("x", (("", b"1"),))
    kept = str(tmp_path / "kept")
    assert (
        body(tmp_path, inputs=inputs, outputs=(Outbound(out, None, kept),))(Slot(1), Slot(0)) == "x"
    )
    assert (tmp_path / "kept" / "y").read_text() == "1"


def test_an_output_that_was_not_written_is_named(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))
    for url in ("fake://h/y", "fake://h/*.csv"):
        run = body(tmp_path, lambda file: None, outputs=(Outbound(File(url), plugin),))
        with pytest.raises(MissingOutputs) as caught:
            run(Slot(0))
        assert caught.value.outputs == (url,)


def test_a_failed_stage_out_says_that_the_code_has_run(tmp_path: Path) -> None:
    (tmp_path / "refuse").write_text("y")
    plugin = FolderStaging(str(tmp_path))
    run = body(
        tmp_path, lambda file: Path(file).touch(), outputs=(Outbound(File("fake://h/y"), plugin),)
    )
    with pytest.raises(StagingFailed) as caught:
        run(Slot(0))
    assert (caught.value.started, caught.value.status) == (HasStarted.YES, 503)


def test_equal_names_of_outputs_do_not_collide(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    outs = tuple(Outbound(File(f"fake://h/{name}/y"), plugin) for name in "ab")

    def write(one: File, two: File) -> None:
        Path(one).write_text("1")
        Path(two).write_text("2")

    body(tmp_path, write, outputs=outs)(Slot(0), Slot(1))
    assert [(tmp_path / name / "y").read_text() for name in "ab"] == ["1", "2"]


def test_all_that_match_are_taken_away(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))

    def write(pattern: File) -> None:
        for name in ("1.csv", "2.csv", "3.txt"):
            (Path(pattern).parent / name).write_text(name)

    body(tmp_path, write, outputs=(Outbound(File("fake://h/*.csv"), plugin),))(Slot(0))
    assert plugin.log() == ["store 1.csv", "store 2.csv"]


def in_sandbox(folder: str) -> tuple[str, str]:
    def write() -> str:
        Path("out.txt").write_text("1")
        Path("sub").mkdir(exist_ok=True)
        Path("sub", "more.txt").write_text("2")
        Path("litter").touch()
        return os.getcwd()

    copying = FileCopyStaging(where="nodes")
    os.chdir(folder)
    outs = tuple(
        Outbound(File(os.path.join(folder, name)) if whole else File(name), copying)
        for name, whole in (("out.txt", True), ("sub/more.txt", False))
    )
    run = StagedBody(write, "t", Desk("r", 1, folder + "/w"), (), outs, sandbox=True)
    return run(), os.getcwd()


def test_a_sandbox_is_a_new_directory_from_which_outputs_are_collected(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        inside, after = pool.submit(in_sandbox, str(tmp_path)).result(60)
    assert inside.startswith(str(tmp_path / "w" / "tasks"))
    assert after == str(tmp_path)
    assert (tmp_path / "out.txt").read_text() == "1"
    assert (tmp_path / "sub" / "more.txt").read_text() == "2"
    assert not (tmp_path / "litter").exists()
    assert not os.path.exists(inside)


def test_in_a_sandbox_too_equal_names_do_not_collide(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))
    (tmp_path / "a").mkdir()
    outs = (Outbound(File("fake://h/y"), plugin), Outbound(File("fake://h/a/y"), plugin))

    def write(one: File, two: File) -> bool:
        Path("y").write_text("1")
        Path(two).write_text("2")
        return Path(one).samefile("y")

    assert body(tmp_path, write, outputs=outs, sandbox=True)(Slot(0), Slot(1))
    assert (tmp_path / "y").read_text() == "1"
    assert (tmp_path / "a" / "y").read_text() == "2"


def test_what_leads_out_of_a_sandbox_is_collected_under_its_own_name(tmp_path: Path) -> None:
    out = Outbound(File("../up"), FileCopyStaging(where="nodes"))
    inside = tmp_path / "here"
    inside.mkdir()

    def write(file: File) -> None:
        assert Path(file).is_relative_to(os.getcwd())
        Path(file).write_text("1")

    with contextlib.chdir(inside):
        body(tmp_path, write, outputs=(out,), sandbox=True)(Slot(0))
    assert (tmp_path / "up").read_text() == "1"


def test_streams_that_are_outputs_go_where_those_are_written(tmp_path: Path) -> None:
    plugin = FolderStaging(str(tmp_path))
    (tmp_path / "plain").mkdir()
    err = StdStream(str(tmp_path / "plain" / "err"))
    run = body(
        tmp_path,
        BashBody(
            lambda: "echo out; echo err >&2", "t", stdout=StdStream("fake://h/out", "w"), stderr=err
        ),
        outputs=(Outbound(File("fake://h/out"), plugin),),
    )
    assert run() == 0
    assert (tmp_path / "out").read_text() == "out\n"
    assert (tmp_path / "plain" / "err").read_text().endswith("err\n")
