import json
import shlex
from pathlib import Path

import attrs
import pytest

from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.blocks import block_request
from lamina.executors_htex.luggage import luggage_of, packed, taker_of
from lamina.providers import BlockRequest, LocalProvider
from lamina.vocabulary import BlockId


@attrs.frozen(kw_only=True)
class Far(LocalProvider):
    """Blocks that see nothing of this host, which nobody asks for."""

    python: str = "conda run python"
    takes_luggage: bool = True

    @property
    def blocks_are_local(self) -> bool:
        return False

    def described(self, request: BlockRequest) -> tuple[str, str]:
        assert request.luggage is not None
        return "a telephone", request.luggage.command


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("interchange", "interchange.public", "manager", "manager.public"):
        (keys / name).write_text(f"the {name}")
    return tmp_path


def configured(directory: Path, *, encrypted: bool) -> Path:
    path = directory / "manager.json"
    path.write_text(json.dumps({"encrypted": encrypted, "keys": str(directory / "keys")}))
    return path


def test_a_manager_gets_its_file_and_its_keys_and_not_the_interchanges(directory: Path) -> None:
    request = block_request("htex", directory, BlockId("7"))
    found = packed(request, Far(), configured(directory, encrypted=True)).luggage
    assert found is not None
    assert found.files.keys() == {
        "manager.json",
        "keys/interchange.public",
        "keys/manager",
        "keys/manager.public",
    }
    assert found.files["keys/manager"] == b"the manager"
    assert json.loads(found.files["manager.json"])["keys"] == "keys"
    assert "the manager" not in repr(found)


def test_without_encryption_there_are_no_keys_to_bring(directory: Path) -> None:
    request = block_request("htex", directory, BlockId("7"))
    found = packed(request, Far(), configured(directory, encrypted=False)).luggage
    assert found is not None
    assert list(found.files) == ["manager.json"]


def test_the_command_is_for_the_python_there(directory: Path) -> None:
    request = block_request("htex", directory, BlockId("a b"))
    words = shlex.split(luggage_of(request, Far(), {}).command)
    assert words[:6] == ["env", "LAMINA_BLOCK=a b", "conda", "run", "python", "-m"]
    assert words[-1] == "$LAMINA_LUGGAGE/manager.json"


def test_only_a_provider_that_says_so_takes_luggage() -> None:
    assert taker_of(LocalProvider()) is None
    assert taker_of(Far()) == Far()
    assert taker_of(Far(takes_luggage=False)) is None


def test_a_plan_shows_what_such_a_provider_would_ask_for() -> None:
    plan = HighThroughputExecutor(provider=Far()).plan()
    assert plan.submitted_with == "a telephone"
    assert "conda run python -m" in plan.script
