"""What the pages about the endpoint say is what it does."""

import inspect
import re
import sys
from pathlib import Path

import attrs
import pytest

from lamina import endpoint
from lamina.endpoint import Endpoint, EndpointConfig, read_config, render_plan
from lamina.hosting import TaskOptions
from lamina.hosting_commands import COMMANDS

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs" / "how-to" / "host.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference" / "endpoint.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", HOW_TO, re.DOTALL)


def names(heading: str) -> set[str]:
    section = REFERENCE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))


def test_the_plan_is_the_one_that_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.toml"
    path.write_text(
        blocks("toml")[0].replace('label = "functions"', 'label = "functions"\ncodec = "pickle"')
    )
    said = render_plan(read_config(path))
    said = re.sub(r"block-0\.[0-9a-f]{8}", "block-0.5ae0b855", said)
    assert said.replace(sys.executable, "/shared/acme/env/bin/python") == blocks("text")[0].rstrip()


def test_the_contradiction_is_told_as_printed(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.toml"
    more = "max_workers_per_node = 8\n\n[executors.provider]"
    path.write_text(blocks("toml")[0].replace("[executors.provider]", more))
    with pytest.raises(endpoint.ConfigError) as caught:
        render_plan(read_config(path))
    assert f"lamina-endpoint: {caught.value}" == blocks("text")[1].rstrip()


def test_each_name_of_the_face_is_described() -> None:
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert not [name for name in endpoint.__all__ if not re.search(rf"\b{name}\b", text)]


def test_the_tables_are_complete() -> None:
    public = {name for name in vars(Endpoint) if not name.startswith("_")}
    assert names("Endpoint") == public | {"submit", "submit_payload", "options"}
    assert names("EndpointConfig") == {field.name for field in attrs.fields(EndpointConfig)}
    assert names("Options of a task") == {field.name for field in attrs.fields(TaskOptions)}
    assert names("Options of a task") == set(inspect.signature(Endpoint.options).parameters) - {
        "self"
    }
    assert names("Commands") == set(COMMANDS)
