import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest

from lamina.channels import ChannelError, Completed, Forward, LocalChannel
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.outpost import Outpost, way_back_of
from lamina.plugins import ConfigErrors
from lamina.providers import BlockRequest, LocalProvider, ProviderUnavailable
from lamina.providers_batch import SlurmProvider
from lamina.vocabulary import BlockId


@attrs.frozen(eq=False)
class FarChannel:
    """A host whose files are in a folder here, and which leads back to any port."""

    folder: Path
    there: bool = True
    forwarded: list[int] = attrs.field(factory=list)
    python: str = "python-there"

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        raise AssertionError("no command is run")

    def put(self, local: Path, remote: str) -> None:
        LocalChannel().put(local, remote)

    def get(self, remote: str, local: Path) -> None:
        raise AssertionError("nothing is fetched")

    def make_directory(self, remote: str) -> None:
        LocalChannel().make_directory(remote)

    def place(self, name: str) -> str:
        if not self.there:
            raise ChannelError("connecting", "no route to host")
        (self.folder / name).mkdir()
        return str(self.folder / name)

    def forward(self, port: int) -> Forward:
        self.forwarded.append(port)
        return Forward(("10.0.0.1", "fd00::1", "login"), 7000)

    def close(self) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("interchange", "interchange.public", "manager", "manager.public"):
        (keys / name).write_text(name)
    path = tmp_path / "manager.json"
    path.write_text(json.dumps({"addresses": ["tcp://127.0.0.1:4321?probe=3"], "keys": str(keys)}))
    return path


def request(folder: Path, block: str) -> BlockRequest:
    return BlockRequest(
        block=BlockId(block),
        name=f"block-{block}",
        command="run it here",
        script_dir=folder,
        stdout=folder / f"{block}.out",
        stderr=folder / f"{block}.err",
    )


def test_files_are_brought_there_once_with_the_address_that_leads_back(
    tmp_path: Path, config: Path
) -> None:
    channel = FarChannel(tmp_path)
    outpost = Outpost(channel, config)
    first, second = (outpost.moved(request(tmp_path, block)) for block in "01")
    assert channel.forwarded == [4321]
    place = first.stdout.parent
    assert (first.stdout, second.stderr) == (place / "0.out", place / "1.err")
    assert first.command.startswith("env LAMINA_BLOCK=0 python-there -m ")
    assert first.command.endswith(f".htex_worker_pool {place}/manager.json")
    facts = json.loads((place / "manager.json").read_text())
    assert facts["addresses"] == ["tcp://10.0.0.1,[fd00::1],login:7000?probe=3"]
    assert facts["keys"] == f"{place}/keys"


def test_the_interchanges_own_key_stays_here(tmp_path: Path, config: Path) -> None:
    place = Outpost(FarChannel(tmp_path), config).moved(request(tmp_path, "0")).stdout.parent
    found = sorted(path.name for path in (place / "keys").iterdir())
    assert found == ["interchange.public", "manager", "manager.public"]


def test_a_host_that_cannot_be_reached_is_asked_again(tmp_path: Path, config: Path) -> None:
    outpost = Outpost(FarChannel(tmp_path, there=False), config)
    with pytest.raises(ProviderUnavailable, match="no route to host"):
        outpost.moved(request(tmp_path, "0"))


def test_only_a_channel_to_another_host_leads_back(tmp_path: Path) -> None:
    channel = FarChannel(tmp_path)
    assert way_back_of(SlurmProvider(channel=channel)) is channel
    assert way_back_of(SlurmProvider()) is None
    assert way_back_of(LocalProvider()) is None


def test_with_a_way_back_only_this_host_itself_is_listened_to(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(provider=SlurmProvider(channel=FarChannel(tmp_path)))
    bound = executor.settings.bind()
    assert bound is not None
    assert bound.startswith("tcp://127.0.0.1:")


def test_a_way_back_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="its channel opens a port"):
        HighThroughputExecutor(
            provider=SlurmProvider(channel=FarChannel(tmp_path)),
            address="127.0.0.1",
            encrypted=False,
        )
