import json
from pathlib import Path

from lamina.channels import CommandTimeout
from lamina.executors_htex.last_words import LastWords, stream_name
from lamina.executors_htex.outpost import Outpost
from lamina.providers import BlockRequest
from lamina.vocabulary import BlockId
from tests.fakes.channels import FarChannel, said

BLOCK = BlockId("3")


def test_both_streams_are_quoted_under_headings(tmp_path: Path) -> None:
    words = LastWords(tmp_path, None)
    assert words.of(BLOCK) == ""
    (tmp_path / stream_name(BLOCK, "stdout")).write_text("starting\n")
    assert words.of(BLOCK) == "The last lines of its stdout:\nstarting"
    lines = "".join(f"line {n}\n" for n in range(100))
    (tmp_path / stream_name(BLOCK, "stderr")).write_text(lines)
    said = words.of(BLOCK)
    assert said.startswith("The last lines of its stderr:\nline 80\n")
    assert said.endswith("line 99\nThe last lines of its stdout:\nstarting")


def test_where_each_node_writes_for_itself_the_first_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "block-3.stderr.0").write_text("no such module\n")
    assert LastWords(tmp_path, None).stream(BLOCK, "stderr") == "no such module"


def outpost(tmp_path: Path, far: FarChannel) -> Outpost:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("interchange.public", "manager", "manager.public"):
        (keys / name).write_text(name)
    config = tmp_path / "manager.json"
    config.write_text(json.dumps({"addresses": ["tcp://127.0.0.1:4321"], "keys": str(keys)}))
    return Outpost(far, config)


def test_what_lies_on_another_host_is_asked_for_there(tmp_path: Path) -> None:
    far = FarChannel(tmp_path / "far")
    there = outpost(tmp_path, far)
    words = LastWords(tmp_path, there)
    assert words.of(BLOCK) == ""  # nothing is there yet, and nobody is asked
    assert far.asked == []
    moved = there.moved(
        BlockRequest(
            block=BLOCK,
            name="it",
            command="true",
            script_dir=tmp_path,
            stdout=tmp_path / stream_name(BLOCK, "stdout"),
            stderr=tmp_path / stream_name(BLOCK, "stderr"),
        )
    )
    assert moved.remote_dir == moved.stderr.parent
    far.here(str(moved.stderr)).write_text("a\nb\n")
    assert words.of(BLOCK) == "The last lines of its stderr:\na\nb"
    far.answers["tail"] = CommandTimeout("tail", 30)
    assert words.of(BLOCK) == ""
    far.answers["tail"] = said("half a file", status=1)
    assert words.of(BLOCK) == ""
