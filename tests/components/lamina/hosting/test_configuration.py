from pathlib import Path

import pytest

from lamina.events import MemorySink
from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.hosting import EndpointConfig, read_config
from lamina.plugins import ConfigErrors
from lamina.providers import LocalProvider
from lamina.vocabulary import ConfigError

TOML = """
run_dir = "runs"

[[executors]]
use = "htex"
label = "work"
codec = "pickle"
max_workers_per_node = 2
provider = { use = "local", max_blocks = 3, launcher = "single_node" }

[[executors]]
use = "threads"

[[event_sinks]]
use = "memory"
limit = 5
"""


def test_a_file_of_toml_names_its_plugins(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.toml"
    path.write_text(TOML, encoding="utf-8")
    config = read_config(path)
    assert config.run_dir == Path("runs")
    htex, threads = config.executors
    assert isinstance(htex, HighThroughputExecutor)
    assert isinstance(htex.settings.provider, LocalProvider)
    assert htex.settings.provider.max_blocks == 3
    assert htex.settings.codec_name.endswith(":PickleCodec")
    assert isinstance(threads, ThreadPoolExecutor)
    (sink,) = config.event_sinks
    assert isinstance(sink, MemorySink)
    assert sink.limit == 5


def test_a_mapping_may_hold_objects(tmp_path: Path) -> None:
    threads = ThreadPoolExecutor()
    config = read_config({"executors": [threads], "run_dir": tmp_path})
    assert tuple(config.executors) == (threads,)
    assert read_config(config) is config


IMPORTS = """
from types import SimpleNamespace
from lamina.executors import ThreadPoolExecutor
from lamina.hosting import EndpointConfig
"""


@pytest.mark.parametrize(
    "value",
    [
        '{"executors": [{"use": "threads", "label": "mine"}]}',
        'EndpointConfig(executors=[ThreadPoolExecutor(label="mine")])',
        'SimpleNamespace(executors=[ThreadPoolExecutor(label="mine")])',
    ],
    ids=["mapping", "config", "with_executors"],
)
def test_a_file_of_python_leaves_it_in_config(tmp_path: Path, value: str) -> None:
    path = tmp_path / "endpoint.py"
    path.write_text(f"{IMPORTS}config = {value}", encoding="utf-8")
    (executor,) = read_config(path).executors
    assert executor.label == "mine"


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("a.toml", "executors = [", "cannot be read as TOML"),
        ("a.py", "config = (", "cannot be run"),
        ("a.py", "configuration = {}", "defines no config"),
        ("a.py", "config = 7", "make it a mapping or an EndpointConfig"),
    ],
)
def test_a_file_that_says_nothing_is_refused(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        read_config(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        read_config(tmp_path / "gone.toml")


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_config(
            {
                "executors": [
                    {"use": "htex", "provider": {"use": "local", "max_block": 3}},
                    {"use": "threads", "max_threads": "two"},
                ],
                "event_sinks": {"use": "memory"},
                "run_dirs": "here",
                "run_dir": 7,
            }
        )
    assert [mistake.path for mistake in caught.value.mistakes] == [
        "run_dirs",
        "executors[0].provider.max_block",
        "executors[1].max_threads",
        "event_sinks",
        "run_dir",
    ]


@pytest.mark.parametrize(
    "options, says",
    [
        ({}, "executors: is missing"),
        ({"executors": []}, "executors: names none"),
        ({"executors": [7]}, "is 7, which is no executor"),
        ({"executors": [ThreadPoolExecutor]}, "which is no executor"),
        (
            {"executors": [{"use": "threads"}, {"use": "threads"}]},
            r"executors\[1\].label: is 'threads', as that of executors\[0\]",
        ),
        ({"executors": [{"use": "threads"}], "event_sinks": [7]}, "is 7, which is no event sink"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigErrors, match=says):
        read_config(options)


def test_sinks_are_a_list() -> None:
    with pytest.raises(ConfigErrors, match="must be a list"):
        EndpointConfig(executors=[ThreadPoolExecutor()], event_sinks=7)  # type: ignore[arg-type]
