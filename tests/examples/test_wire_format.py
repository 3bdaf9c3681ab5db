"""The page about the wire format names every kind of frame, with its number."""

import re
from pathlib import Path

from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.configs import interchange_config
from lamina.htex_core import frames

_TEXT = (Path(__file__).parents[2] / "docs/wire-format.md").read_text(encoding="utf-8")
_ROWS = re.findall(r"^\| ([\d, ]+) \| ([A-Z, ]+) \|.*\| (.*) \|$", _TEXT, re.MULTILINE)
_NO_KINDS = {"LARGE", "PROTOCOL", "RAISED", "UNDONE", "UNSENT", "VALUE"}


def test_each_kind_of_frame_has_its_number() -> None:
    listed = {
        name: int(number)
        for numbers, names, _ in _ROWS
        for number, name in zip(numbers.split(","), names.split(", "), strict=True)
    }
    known = {name: number for name, number in vars(frames).items() if name in frames.__all__}
    assert listed == {
        name: number for name, number in known.items() if name.isupper() and name not in _NO_KINDS
    }
    assert f"protocol {frames.PROTOCOL}" in _TEXT.partition("\n")[0]


def test_what_the_interchange_is_told_is_listed(tmp_path: Path) -> None:
    (body,) = [body for _, names, body in _ROWS if names == "CONFIG"]
    told = interchange_config(HighThroughputExecutor().settings, tmp_path, "package", None)
    assert set(re.findall(r"`(\w+)`", body.partition(":")[2])) == set(told)
