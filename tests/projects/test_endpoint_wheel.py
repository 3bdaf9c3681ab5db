"""The slim bundle: what is in its wheel, beside that of flow, and what it does when installed."""

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from development.benchmarks.footprint import COLUMNS, ROWS, measure
from tests.projects.environments import ROOT, Workshop, run

PROJECT = ROOT / "projects" / "endpoint"
WITHIN = 0.2  # of what the table says; else run development/benchmarks/footprint.py again
MOST_BYTES = 400_000  # of the wheel
MOST_LIBRARIES = {"attrs", "msgpack", "pyzmq", "typing-extensions"}
LEFT_OUT = ("kernel", "apps", "app_bodies", "codec_cloudpickle", "memo", "demo", "flow", "cli")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def project(name: str) -> dict[str, dict[str, dict[str, str]]]:
    text = (ROOT / "projects" / name / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return {name: archive.read(name) for name in names}


@pytest.fixture
def slim(workshop: Workshop) -> Path:
    return workshop.wheel("projects/endpoint")


@pytest.fixture
def full(workshop: Workshop) -> Path:
    return workshop.wheel("projects/flow")


@pytest.fixture
def fresh(workshop: Workshop) -> Path:
    return workshop.environment("projects/endpoint")


def test_flow_ships_each_file_of_endpoint_byte_for_byte(slim: Path, full: Path) -> None:
    whole = contents(full)
    assert [name for name, data in contents(slim).items() if whole.get(name) != data] == []


def test_each_carries_its_licence_and_says_what_it_is(slim: Path, full: Path) -> None:
    for wheel in (slim, full):
        with zipfile.ZipFile(wheel) as archive:
            (licence,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
            assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
            (facts,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
            said = archive.read(facts).decode()
        assert "Description-Content-Type: text/markdown" in said
        assert "```python" in said


def test_flow_has_the_command_of_endpoint_and_depends_on_nothing_of_ours() -> None:
    flow, endpoint = project("flow")["project"], project("endpoint")["project"]
    assert endpoint["scripts"].items() <= flow["scripts"].items()
    for one in (flow, endpoint):
        assert not [name for name in one["dependencies"] if name.startswith("lamina")]


def test_it_needs_few_libraries_and_is_small(slim: Path) -> None:
    needed = {line.partition(">=")[0] for line in project("endpoint")["project"]["dependencies"]}
    assert needed <= MOST_LIBRARIES
    assert slim.stat().st_size < MOST_BYTES


def test_the_table_in_the_docs_is_true(fresh: Path, full: Path) -> None:
    printed = cells((ROOT / "docs" / "how-to" / "host.md").read_text(encoding="utf-8"))
    found = measure(fresh / "python", COLUMNS["endpoint"], times=1)
    assert found.others == printed["others"][0]
    for field in ("own_mb", "own_modules", "total_mb", "loaded"):
        assert getattr(found, field) == pytest.approx(printed[field][0], rel=WITHIN), field
    modules = sum(name.endswith(".py") for name in contents(full))
    assert modules == pytest.approx(printed["own_modules"][1], rel=WITHIN)
    assert len(project("flow")["project"]["dependencies"]) <= printed["others"][1]


def cells(page: str) -> dict[str, list[float]]:
    """The numbers of the table, by the field that each row shows."""
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    rows = {first.strip(): [cell.strip() for cell in rest] for first, *rest in lines}
    return {field: [float(cell) for cell in rows[words]] for field, words in ROWS.items()}


def test_it_ships_no_kernel_and_no_init_of_the_namespace(slim: Path) -> None:
    names = contents(slim)
    assert "lamina/__init__.py" not in names
    assert not [name for name in names if name.startswith(tuple(f"lamina/{x}/" for x in LEFT_OUT))]


def test_its_command_works_where_nothing_else_is_installed(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "endpoint.toml").write_text(
        'executors = [{ use = "htex", provider = { use = "slurm", partition = "debug" } }]'
    )
    said = run([fresh / "lamina-endpoint", "plan", "endpoint.toml"], cwd=tmp_path)
    assert "#SBATCH --partition=debug" in said
    assert "PickleCodec" in said
    example = ROOT / "docs" / "how-to" / "examples" / "ssh.toml"
    said = run([fresh / "lamina-endpoint", "plan", example], cwd=tmp_path, status=1)
    assert "'ssh' cannot be loaded: it is not in this bundle; lamina-flow has it" in said
    plugins = json.loads(run([fresh / "lamina-endpoint", "plugins", "--json"], cwd=tmp_path))
    names = {(one["group"], one["name"]) for one in plugins}
    assert {("executors", "htex"), ("providers", "slurm"), ("channels", "local")} <= names
    assert ("codecs", "cloudpickle") not in names


PROGRAM = """
import importlib.util, json, sys
from lamina.endpoint import ConfigError, Endpoint, HighThroughputExecutor, SerializationError

facts = {"kernel": importlib.util.find_spec("lamina.kernel") is not None}
try:
    HighThroughputExecutor(codec="cloudpickle")
except ConfigError as error:
    facts["cloudpickle"] = str(error)
options = {"use": "htex", "label": "work", "max_workers_per_node": 1}
with Endpoint({"executors": [options]}) as endpoint:
    facts["call"] = endpoint.submit(pow, 2, 10).result(20)
    facts["payload"] = endpoint.submit_payload("zlib:compress", b"abc").result(20).hex()
    error = endpoint.submit(lambda: 1).exception(20)
    facts["by_value"] = [type(error).__name__, str(error)]
print(json.dumps(facts))
"""


def test_it_runs_calls_and_payloads_where_there_is_no_kernel(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    facts = json.loads(run([fresh / "python", "program.py"], cwd=tmp_path))
    assert facts["kernel"] is False
    assert facts["call"] == 1024
    assert bytes.fromhex(facts["payload"])[:1] == b"x"
    assert "only the full distribution has" in facts["cloudpickle"]
    name, says = facts["by_value"]
    assert name == "SerializationError"
    assert "move it into a module that workers can import" in says


def test_beside_flow_every_command_stops(workshop: Workshop, tmp_path: Path) -> None:
    both = workshop.environment("projects/endpoint", "projects/flow")
    for name in ("lamina", "lamina-endpoint"):
        said = run([both / name, "plugins"], cwd=tmp_path, status=1)
        assert "are both installed and overwrite each other's files" in said
        assert "Traceback" not in said
