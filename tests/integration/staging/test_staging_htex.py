"""Files that are staged for workers of a HighThroughputExecutor, on real processes."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import bash_app, python_app
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.staging import FileCopyStaging, Mode, Place
from lamina.vocabulary import File, StagingFailed
from tests.fakes.http_server import serving
from tests.fakes.staging import FolderStaging

WAIT = 60  # seconds


@contextmanager
def started(base: Path, **settings: Any) -> Iterator[DataFlowKernel]:
    executor = HighThroughputExecutor(max_workers_per_node=2, **settings)
    with DataFlowKernel(Config(executors=[executor], run_dir=base / "runs")) as made:
        yield made


@pytest.mark.parametrize(
    "mode, place, shared",
    [
        (Mode.IN_TASK, Place.NODES, True),
        (Mode.SEPARATE, Place.NODES, True),
        (Mode.SEPARATE, Place.NODES, False),
        (Mode.IN_TASK, Place.CLIENT, True),
        (Mode.IN_TASK, Place.CLIENT, False),
    ],
)
def test_files_reach_workers_in_every_way(
    tmp_path: Path, mode: Mode, place: Place, shared: bool
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "x").write_bytes(b"1" * 200_000)
    plugin = FolderStaging(str(there), mode, place)
    work = tmp_path / "w"

    def copy(inputs: list[Any], outputs: list[Any]) -> list[str]:
        Path(outputs[0]).write_bytes(Path(inputs[0]).read_bytes())
        return [str(inputs[0]), str(outputs[0])]

    with started(
        tmp_path, storage_access=[plugin], working_dir=work, shared_file_system=shared
    ) as kernel:
        app = python_app(copy, data_flow_kernel=kernel)
        futures = [
            app(inputs=[File("fake://h/x")], outputs=[File(f"fake://h/y{number}")])
            for number in range(3)
        ]
        for number, future in enumerate(futures):
            paths = future.result(WAIT)
            assert all(Path(path).is_relative_to(work) for path in paths)
            assert future.outputs[0].result(WAIT).url == f"fake://h/y{number}"
            assert (there / f"y{number}").stat().st_size == 200_000
    assert plugin.log().count("fetch x") == 1


def test_a_plain_file_reaches_a_node_that_does_not_see_it(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("plain")
    with started(tmp_path, shared_file_system=False, working_dir=tmp_path / "w") as kernel:
        shout = bash_app(
            lambda inputs, outputs: f"tr a-z A-Z < {inputs[0]} > {outputs[0]}",
            data_flow_kernel=kernel,
        )
        future = shout(inputs=[File(tmp_path / "in.txt")], outputs=[File(tmp_path / "out.txt")])
        assert future.outputs[0].result(WAIT).filepath == str(tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "PLAIN"


def test_a_sandbox_collects_outputs_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("plain")
    with started(tmp_path) as kernel:
        make = bash_app(
            lambda inputs, outputs=(): f"cp {inputs[0]} out.txt; touch 1.log 2.log litter",
            data_flow_kernel=kernel,
            sandbox=True,
        )
        futures = [
            make(
                inputs=[File(tmp_path / "in.txt")],
                outputs=[
                    File(tmp_path / str(number) / "out.txt"),
                    File(tmp_path / str(number) / "*.log"),
                ],
            )
            for number in range(2)
        ]
        for number, future in enumerate(futures):
            assert future.result(WAIT) == 0
            found = sorted(path.name for path in (tmp_path / str(number)).iterdir())
            assert found == ["1.log", "2.log", "out.txt"]


def test_a_failure_on_the_worker_is_one_of_staging(tmp_path: Path) -> None:
    with started(tmp_path, storage_access=[FileCopyStaging(where="nodes")]) as kernel:
        read = python_app(lambda file: Path(file).read_text(), data_flow_kernel=kernel)
        error = read(File(tmp_path / "none")).exception(WAIT)
        assert isinstance(error, StagingFailed)
        assert (error.url, error.again) == (str(tmp_path / "none"), False)


def test_without_settings_web_servers_and_archives_are_reached(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("web")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("d/x", "zip")
    with serving(tmp_path) as server, started(tmp_path) as kernel:

        def read(files: dict[str, list[File]], outputs: Any = ()) -> list[str]:
            Path(outputs[0]).write_text("made")
            return [Path(file).read_text() for file in files["deep"]]

        app = python_app(read, data_flow_kernel=kernel)
        files = [File(server.url("plain", "x")), File(f"zip:{tmp_path}/a.zip/d/x")]
        out = File(f"zip:{tmp_path}/out.zip/made")
        future = app({"deep": files}, outputs=[out])
        assert future.result(WAIT) == ["web", "zip"]
        gone = app({"deep": [File(server.url("404", "x"))]}, outputs=[out]).exception(WAIT)
        assert isinstance(gone, StagingFailed)
        assert (gone.status, gone.again) == (404, False)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("made") == b"made"


def test_streams_may_be_files_of_any_kind(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    plugin = FolderStaging(str(there))
    for shared in (True, False):
        with started(
            tmp_path, storage_access=["file", "file-copy", plugin], shared_file_system=shared
        ) as kernel:
            say = bash_app(lambda: "echo out; echo err >&2", data_flow_kernel=kernel)
            future = say(stdout=File("fake://h/out"), stderr=File(tmp_path / "err"))
            assert future.result(WAIT) == 0
            assert future.stdout.result(WAIT).url == "fake://h/out"
            assert (there / "out").read_text() == "out\n"
            assert "err\n" in (tmp_path / "err").read_text()
            (there / "out").unlink()
            (tmp_path / "err").unlink()
