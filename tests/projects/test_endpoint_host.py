"""The host of examples/host: with the bundle installed, with it vendored, and beside flow."""

import ast
import json
import shutil
import signal
import subprocess
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration import batch
from tests.projects.environments import ROOT, Workshop, outside, run

HOST = ROOT / "examples" / "host"
WAIT = 60.0  # seconds
KINDS = {
    "installed": ("projects/endpoint", "examples/host"),
    "vendored": ("examples/host/vendored",),
    "vendored_beside_flow": ("examples/host/vendored", "projects/flow"),
}
VENDORED = ("vendored", "vendored_beside_flow")
SOURCE = """
import os, socket

def area(width, height):
    return {"area": width * height, "pid": os.getpid(), "host": socket.gethostname(),
            "modules": sorted(m for m in __import__("sys").modules if m.endswith(".htex_worker"))}
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=KINDS)
def fresh(request: pytest.FixtureRequest, workshop: Workshop) -> tuple[str, Path]:
    """A kind of host, and the bin folder where it is installed."""
    return request.param, workshop.environment(*KINDS[request.param])


class Client:
    """Talks to a host that runs."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.url, self.token, self.bundle = facts["url"], facts["token"], facts["bundle"]

    def ask(self, path: str, body: object = None, *, token: str | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or self.token}"},
        )
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return json.loads(answer.read())

    def refused(self, path: str, body: object = None, *, token: str | None = None) -> int:
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.ask(path, body, token=token)
        with caught.value as error:
            return error.code


@contextmanager
def serving(python: Path, place: Path, env: dict[str, str] | None = None) -> Iterator[Client]:
    with (
        (place / "host.err").open("w+") as errors,
        subprocess.Popen(
            [python, "-X", "faulthandler", "-m", "acme_endpoint", "endpoint.toml"],
            cwd=place,
            env=outside(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as host,
    ):
        assert host.stdout is not None
        first = host.stdout.readline()
        assert first, (place / "host.err").read_text()
        try:
            yield Client(json.loads(first))
            host.send_signal(signal.SIGTERM)
            try:
                status = host.wait(WAIT)
            except subprocess.TimeoutExpired:
                host.send_signal(signal.SIGABRT)  # it says on its stderr where each thread is
                status = host.wait(WAIT)
            assert status == 0, (place / "host.err").read_text()
        finally:
            host.kill()


def call_twice(client: Client) -> list[dict[str, Any]]:
    function = client.ask("functions", {"name": "area", "source": SOURCE})["function"]
    tasks = [
        client.ask(f"functions/{function}/calls", {"arguments": [n, 3]})["task"] for n in (2, 5)
    ]
    answers = [client.ask(f"tasks/{task}") for task in tasks]
    assert [one["state"] for one in answers] == ["done", "done"], answers
    return [one["value"] for one in answers]


def test_it_runs_functions_on_workers_of_its_own_bundle(
    fresh: tuple[str, Path], tmp_path: Path
) -> None:
    kind, binaries = fresh
    shutil.copy(HOST / "endpoint.toml", tmp_path)
    with serving(binaries / "python", tmp_path) as client:
        values = call_twice(client)
        assert [value["area"] for value in values] == [6, 15]
        package = "acme_endpoint._vendor.lamina" if kind != "installed" else "lamina"
        assert client.bundle == f"{package}.endpoint"
        # The worker, too, is of that bundle and of no other.
        assert [value["modules"] for value in values] == [[f"{package}.htex_worker"]] * 2
        (block,) = client.ask("status")["blocks"]
        assert block["nodes"] == 1
        client.ask("scale", {"blocks": 2})
        seen = client.ask("status")["seen"]
        assert seen["task.state.exec_done"] == 2
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {"endpoint.started", "task.state", "block.requested", "endpoint.ended"} <= {
        event["kind"] for event in events
    }


@pytest.mark.parametrize("fresh", ["installed"], indirect=True)
def test_it_tells_what_is_wrong_with_a_request(fresh: tuple[str, Path], tmp_path: Path) -> None:
    _, binaries = fresh
    shutil.copy(HOST / "endpoint.toml", tmp_path)
    with serving(binaries / "python", tmp_path) as client:
        assert client.refused("status", token="wrong") == 401
        assert client.refused("tasks/77") == 404
        assert client.refused("functions/none/calls", {"arguments": []}) == 404
        assert client.refused("nothing") == 404
        assert client.refused("scale", {"blocks": -1}) == 400
        assert client.refused("functions", {"name": "f"}) == 400
        source = "def broken():\n    return 1 / 0"
        function = client.ask("functions", {"name": "broken", "source": source})["function"]
        task = client.ask(f"functions/{function}/calls", {"arguments": []})["task"]
        answer = client.ask(f"tasks/{task}")
        assert answer["state"] == "failed"
        assert answer["error"].startswith("ZeroDivisionError")


def test_in_its_environment_there_is_no_kernel_but_that_of_flow(
    fresh: tuple[str, Path], tmp_path: Path
) -> None:
    kind, binaries = fresh
    ask = (
        "from importlib.util import find_spec\n"
        "def there(name):\n"
        "    try:\n"
        "        return find_spec(name) is not None\n"
        "    except ModuleNotFoundError:\n"
        "        return False\n"
        "print([there(n) for n in ('lamina.kernel', 'acme_endpoint._vendor.lamina.kernel')])"
    )
    said = run([binaries / "python", "-c", ask], cwd=tmp_path).strip()
    assert said == str([kind == "vendored_beside_flow", False])


@pytest.mark.parametrize("fresh", VENDORED, indirect=True)
def test_a_vendored_command_does_not_mind_who_is_installed(
    fresh: tuple[str, Path], tmp_path: Path
) -> None:
    _, binaries = fresh
    module = "acme_endpoint._vendor.lamina.endpoint_cli"
    shutil.copy(HOST / "endpoint.toml", tmp_path)
    said = run([binaries / "python", "-m", module, "plan", "endpoint.toml"], cwd=tmp_path)
    assert "-m acme_endpoint._vendor.lamina.htex_worker_pool" in said


def test_the_vendored_bricks_are_those_of_the_bundle_and_spell_no_other_package(
    workshop: Workshop,
) -> None:
    def bricks(path: Path) -> set[str]:
        table = tomllib.loads(path.read_text(encoding="utf-8"))["tool"]["polylith"]["bricks"]
        return set(table.values())

    ours = ROOT / "projects" / "endpoint" / "pyproject.toml"
    assert bricks(HOST / "vendored" / "pyproject.toml") == bricks(ours)
    with zipfile.ZipFile(workshop.wheel("examples/host/vendored")) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                spelt = set(imported(archive.read(name).decode()))
                assert not {one for one in spelt if one.partition(".")[0] == "lamina"}, name


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


SLURM = """
run_dir = "runinfo"

[[executors]]
use = "htex"
label = "functions"
max_workers_per_node = 1

[executors.provider]
use = "slurm"
partition = "debug"
walltime = "00:05:00"
exclusive = false
max_blocks = 2
status_polling_interval = 1
"""


def jobs_of(client: Client) -> set[str]:
    """The jobs of all blocks; nothing while one has none."""
    jobs = [block["job"] for block in client.ask("status")["blocks"]]
    return set() if None in jobs else {str(job) for job in jobs}


@pytest.mark.service
def test_it_runs_functions_on_slurm_and_leaves_no_job_behind(
    fresh: tuple[str, Path], tmp_path: Path
) -> None:
    _, binaries = fresh
    slurm = batch.environment("slurm.sh")
    (tmp_path / "endpoint.toml").write_text(SLURM)
    with serving(binaries / "python", tmp_path, slurm) as client:
        values = call_twice(client)
        assert [value["area"] for value in values] == [6, 15]
        # A second block may have been asked for just now, and have no job yet.
        jobs = batch.until(lambda: jobs_of(client))
        assert all(job.isdecimal() for job in jobs)
    listed = ["squeue", "--noheader", "--format=%i", "--states=PENDING,RUNNING"]
    for _ in range(100):
        if not jobs & set(run(listed, tmp_path, env=slurm).split()):
            return
    pytest.fail(f"jobs {jobs} are still in the queue")
