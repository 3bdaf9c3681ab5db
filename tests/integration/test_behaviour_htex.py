"""One test for each option of a HighThroughputExecutor, on real processes."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lamina.apps import App, bash_app, python_app
from lamina.codec import RemoteError
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.providers import JobStatus, LocalProvider
from lamina.scaling import NoScaling
from lamina.vocabulary import (
    ClosedError,
    ConfigError,
    ExecutorLost,
    JobId,
    NodeLost,
    SerializationError,
    TaskWalltime,
    WaitInsideTaskError,
    WorkerLost,
)

WAIT = 30  # seconds


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFlowKernel]:
    with started(tmp_path_factory.mktemp("runs"), label="mine", max_workers_per_node=2) as made:
        yield made


def started(base: Path, **settings: Any) -> DataFlowKernel:
    return DataFlowKernel(Config(executors=[HighThroughputExecutor(**settings)], run_dir=base))


def the_executor(kernel: DataFlowKernel) -> HighThroughputExecutor:
    (executor,) = kernel.executors.values()
    assert isinstance(executor, HighThroughputExecutor)
    return executor


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def app(kernel: DataFlowKernel, function: Callable[..., Any], **options: Any) -> App[..., Any]:
    return python_app(function, data_flow_kernel=kernel, **options)


def double(value: int) -> int:
    return 2 * value


def sleep_after_noting(path: str, seconds: float) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(seconds)


def hold(began: str, gate: str) -> None:
    """Stay until the file ``gate`` is there."""
    Path(began).touch()
    while not os.path.exists(gate):
        time.sleep(0.01)


def note(path: str, name: str) -> None:
    with open(path, "a") as file:
        file.write(f"{name}\n")


def test_label_is_its_name_in_the_kernel(kernel: DataFlowKernel) -> None:
    assert kernel.labels == ("mine",)
    assert app(kernel, double, executors=["mine"])(2).result(WAIT) == 4


def test_a_worker_knows_neither_zmq_nor_the_client(tmp_path: Path) -> None:
    with started(tmp_path, max_workers_per_node=1) as kernel:
        # No function of this module, which would bring all that this module imports.
        there = app(kernel, eval)("list(__import__('sys').modules)").result(WAIT)
    bricks = {name.split(".")[1] for name in there if name.startswith("lamina.")}
    assert "htex_worker" in bricks
    assert not any(name.partition(".")[0] == "zmq" for name in there)
    assert bricks.isdisjoint({"executors_htex", "htex_core", "htex_wire", "kernel", "apps"})


def test_an_async_function_runs_to_completion_on_a_worker(kernel: DataFlowKernel) -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    assert app(kernel, later)(21).result(WAIT) == 42


class Holder:
    """Carries a future where no resolver looks."""

    def __init__(self, future: object) -> None:
        self.future = future


def wait_for_it(holder: Holder) -> object:
    return holder.future.result()  # type: ignore[attr-defined]


def ask_it(holder: Holder) -> object:
    return holder.future.done()  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [wait_for_it, ask_it])
def test_a_future_that_came_to_a_worker_refuses_whatever_is_asked(
    kernel: DataFlowKernel, body: Callable[[Holder], object]
) -> None:
    error = app(kernel, body)(Holder(app(kernel, double)(1))).exception(WAIT)
    assert isinstance(error, WaitInsideTaskError)
    assert "join_app" in str(error)


def test_a_failure_says_which_attempt_of_which_task_failed_where_and_names_its_logs(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    @bash_app(data_flow_kernel=kernel)
    def fails(stdout: str, stderr: str) -> str:
        return "exit 3"

    paths = [str(tmp_path / name) for name in ("out", "err")]
    future = fails(*paths)
    error = future.exception(WAIT)
    (said,) = [note for note in error.__notes__ if note.startswith("Lamina: ")]
    assert f"fails (task {future.task_id}), attempt 1 on mine" in said
    assert all(path in said for path in paths)


def test_max_workers_per_node_is_how_many_tasks_run_at_once(kernel: DataFlowKernel) -> None:
    app(kernel, double)(1).result(WAIT)
    assert the_executor(kernel).load().slots == 2
    with pytest.raises(ConfigError, match="max_workers_per_node"):
        HighThroughputExecutor(max_workers_per_node=0)


def test_cores_per_worker_divides_the_cores(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    with started(tmp_path, cores_per_worker=0.5) as kernel:
        app(kernel, double)(1).result(WAIT)
        assert the_executor(kernel).load().slots == 2 * cores
    with pytest.raises(ConfigError, match="cores_per_worker"):
        HighThroughputExecutor(cores_per_worker=0)


def test_provider_says_how_many_blocks_there_are(tmp_path: Path) -> None:
    provider = LocalProvider(init_blocks=2, min_blocks=2, max_blocks=2)
    with started(tmp_path, provider=provider, max_workers_per_node=1) as kernel:
        executor = the_executor(kernel)
        assert eventually(lambda: len(executor.connected_blocks()) == 2)


def test_nodes_per_block_is_how_many_managers_a_block_has(tmp_path: Path) -> None:
    provider = LocalProvider(nodes_per_block=2)
    with started(tmp_path, provider=provider, max_workers_per_node=1) as kernel:
        executor = the_executor(kernel)
        assert eventually(lambda: len(executor.connected_managers()) == 2)
        assert len(executor.connected_blocks()) == 1


@pytest.mark.parametrize("parallelism, blocks", [(1, 2), (0, 1)])
def test_blocks_come_with_the_work_as_parallelism_and_max_blocks_say(
    tmp_path: Path, parallelism: float, blocks: int
) -> None:
    gate = tmp_path / "gate"
    provider = LocalProvider(init_blocks=0, max_blocks=2, parallelism=parallelism)
    with started(tmp_path, provider=provider, max_workers_per_node=1) as kernel:
        executor = the_executor(kernel)
        assert executor.connected_blocks() == []
        held = [app(kernel, hold)(str(tmp_path / f"began-{n}"), str(gate)) for n in range(4)]
        assert eventually(lambda: len(list(tmp_path.glob("began-*"))) == blocks)
        assert len(executor.connected_blocks()) == blocks
        gate.touch()
        for future in held:
            future.result(WAIT)
        assert len(executor.connected_blocks()) <= blocks


def test_min_blocks_are_kept_without_work(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    provider = LocalProvider(init_blocks=2, min_blocks=1, max_blocks=2)
    settings = {"provider": provider, "max_idletime": 0.2, "max_workers_per_node": 1}
    with started(tmp_path, **settings) as kernel:
        executor = the_executor(kernel)
        held = [app(kernel, hold)(str(tmp_path / f"began-{n}"), str(gate)) for n in range(2)]
        assert eventually(lambda: len(executor.connected_blocks()) == 2)
        gate.touch()
        for future in held:
            future.result(WAIT)
        assert eventually(lambda: len(executor.connected_blocks()) == 1)
        assert app(kernel, double)(2).result(WAIT) == 4
        assert len(executor.connected_blocks()) == 1


def test_status_polling_interval_is_how_often_the_provider_is_asked(tmp_path: Path) -> None:
    asked: dict[str, int] = {"often": 0, "rarely": 0}

    class Counting(LocalProvider):
        def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
            asked[self.label] += 1
            return super().poll(jobs)

    often = Counting(label="often", status_polling_interval=0.01)
    rarely = Counting(label="rarely", status_polling_interval="1 h")  # type: ignore[arg-type]
    with (
        started(tmp_path, provider=often, max_workers_per_node=1) as kernel,
        started(tmp_path, provider=rarely, max_workers_per_node=1) as other,
    ):
        assert app(other, double)(1).result(WAIT) == app(kernel, double)(1).result(WAIT) == 2
        assert eventually(lambda: asked["often"] > 10)
        assert asked["rarely"] == 0  # at the end it is asked whether the blocks are gone


@pytest.mark.parametrize("encrypted", [True, False])
def test_links_over_tcp_may_be_encrypted_or_not(tmp_path: Path, encrypted: bool) -> None:
    settings = {"address": "127.0.0.1", "encrypted": encrypted, "max_workers_per_node": 1}
    with started(tmp_path, **settings) as kernel:
        assert app(kernel, double)(3).result(WAIT) == 6


def test_worker_port_is_where_managers_connect(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"address": "127.0.0.1", "worker_port": port, "max_workers_per_node": 1}
    with started(tmp_path, **settings) as kernel:
        assert app(kernel, double)(3).result(WAIT) == 6
        socket.create_connection(("127.0.0.1", port), timeout=WAIT).close()


def test_worker_port_range_is_where_managers_connect(tmp_path: Path) -> None:
    first, after = 47100, 47164
    settings = {"address": "127.0.0.1", "worker_port_range": (first, after)}
    with started(tmp_path, max_workers_per_node=1, **settings) as kernel:
        assert app(kernel, double)(3).result(WAIT) == 6
        config = json.loads((kernel.run_dir / "HighThroughputExecutor/manager.json").read_text())
        (port,) = {int(name.partition("?")[0].rpartition(":")[2]) for name in config["addresses"]}
        assert first <= port < after
        socket.create_connection(("127.0.0.1", port), timeout=WAIT).close()


def test_a_silent_node_is_given_up_after_heartbeat_threshold(tmp_path: Path) -> None:
    settings = {"heartbeat_period": 0.5, "heartbeat_threshold": 1.0, "max_workers_per_node": 1}
    noted = tmp_path / "pid"
    with started(tmp_path, **settings) as kernel:
        future = app(kernel, sleep_after_noting)(str(noted), 100)
        assert eventually(noted.exists)
        (manager,) = the_executor(kernel).connected_managers()
        os.kill(manager["pid"], signal.SIGSTOP)
        began = time.monotonic()
        try:
            error = future.exception(WAIT)
        finally:
            os.kill(manager["pid"], signal.SIGCONT)
        assert isinstance(error, NodeLost)
        assert time.monotonic() - began < 10
    with pytest.raises(ConfigError, match="heartbeat_threshold"):
        HighThroughputExecutor(heartbeat_period=30, heartbeat_threshold=31)


def test_a_node_whose_manager_died_is_lost_and_replaced(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    with started(tmp_path, max_workers_per_node=1) as kernel:
        future = app(kernel, sleep_after_noting)(str(noted), 100)
        assert eventually(noted.exists)
        (manager,) = the_executor(kernel).connected_managers()
        os.kill(manager["pid"], signal.SIGKILL)
        assert isinstance(future.exception(WAIT), NodeLost)
        assert app(kernel, double)(3).result(WAIT) == 6


def test_a_block_that_was_idle_for_max_idletime_is_given_back(tmp_path: Path) -> None:
    with started(tmp_path, max_idletime=0.2, max_workers_per_node=1) as kernel:
        executor = the_executor(kernel)
        assert app(kernel, double)(3).result(WAIT) == 6
        assert eventually(lambda: not executor.connected_managers())
        assert app(kernel, double)(4).result(WAIT) == 8


def test_strategy_says_how_many_blocks_there_should_be(tmp_path: Path) -> None:
    provider = LocalProvider(init_blocks=1, max_blocks=3)

    def rest(seconds: float) -> None:
        time.sleep(seconds)

    settings = {"strategy": NoScaling(), "provider": provider, "max_workers_per_node": 1}
    with started(tmp_path, **settings) as kernel:
        futures = [app(kernel, rest)(0.05) for _ in range(20)]
        for future in futures:
            future.result(WAIT)
        assert len(the_executor(kernel).connected_blocks()) == 1


def test_an_executor_whose_blocks_cannot_start_says_why(tmp_path: Path) -> None:
    provider = LocalProvider(worker_init="echo no licence >&2; exit 9")
    with started(tmp_path, provider=provider, max_workers_per_node=1) as kernel:
        error = app(kernel, double)(1).exception(WAIT)
        assert isinstance(error, ExecutorLost)
        assert "no licence" in str(error)


def test_an_unencrypted_link_to_elsewhere_needs_the_address_of_an_interface() -> None:
    class Elsewhere(LocalProvider):
        @property
        def blocks_are_local(self) -> bool:
            return False

    with pytest.raises(ConfigError, match="address"):
        HighThroughputExecutor(provider=Elsewhere(), encrypted=False)


def test_codec_says_what_can_travel(kernel: DataFlowKernel, tmp_path: Path) -> None:
    def nested(value: int) -> int:
        return value + 1

    assert app(kernel, nested)(1).result(WAIT) == 2
    with started(tmp_path, codec="pickle", max_workers_per_node=1) as plain:
        assert isinstance(app(plain, nested)(1).exception(WAIT), SerializationError)


def test_env_is_set_for_the_task_alone(kernel: DataFlowKernel) -> None:
    def read(name: str) -> str | None:
        return os.environ.get(name)

    assert app(kernel, read, env={"LAMINA_ROW": "set"})("LAMINA_ROW").result(WAIT) == "set"
    assert app(kernel, read)("LAMINA_ROW").result(WAIT) is None


def test_walltime_stops_the_work(kernel: DataFlowKernel, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    error = app(kernel, sleep_after_noting, walltime=2)(str(noted), 100).exception(WAIT)
    assert isinstance(error, TaskWalltime)
    assert error.stopped
    worker = int(noted.read_text())
    assert eventually(lambda: not Path(f"/proc/{worker}").exists())


def test_streams_of_a_python_app_are_its_own(kernel: DataFlowKernel, tmp_path: Path) -> None:
    def speak() -> None:
        print("aloud")
        print("aside", file=sys.stderr)

    out, err = str(tmp_path / "out"), str(tmp_path / "err")
    app(kernel, speak)(stdout=out, stderr=(err, "w")).result(WAIT)
    assert (Path(out).read_text(), Path(err).read_text()) == ("aloud\n", "aside\n")


def test_a_worker_that_dies_under_its_task_is_told_and_replaced(kernel: DataFlowKernel) -> None:
    def leave() -> NoReturn:
        os._exit(7)

    error = app(kernel, leave)().exception(WAIT)
    assert isinstance(error, WorkerLost)
    assert "exit status 7" in str(error)
    assert app(kernel, double)(3).result(WAIT) == 6


class Stuck(Exception):
    """Cannot be pickled."""

    def __reduce__(self) -> NoReturn:
        msg = "not me"
        raise TypeError(msg)


def test_what_cannot_be_pickled_is_a_typed_error(kernel: DataFlowKernel) -> None:
    def give() -> Any:
        return iter(open(os.devnull, "rb"))  # it is to be returned open

    def throw() -> NoReturn:
        raise Stuck("it said")

    assert isinstance(app(kernel, double)(Stuck()).exception(WAIT), SerializationError)
    assert isinstance(app(kernel, give)().exception(WAIT), SerializationError)
    error = app(kernel, throw)().exception(WAIT)
    assert isinstance(error, RemoteError)
    assert "it said" in str(error)
    assert app(kernel, double)(3).result(WAIT) == 6


def test_closing_ends_what_is_left(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    kernel = started(tmp_path, max_workers_per_node=1)
    future = app(kernel, sleep_after_noting)(str(noted), 100)
    assert eventually(noted.exists)
    kernel.close()
    assert isinstance(future.exception(0), ClosedError)


def test_a_higher_priority_runs_sooner(tmp_path: Path) -> None:
    gate, noted = tmp_path / "gate", tmp_path / "order"
    wait_for_gate = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    provider = LocalProvider(worker_init=wait_for_gate)
    with started(tmp_path, provider=provider, max_workers_per_node=1) as kernel:
        given = [0, 5, -1, 5, 0.5, 10]
        futures = [
            app(kernel, note, priority=priority)(str(noted), f"{priority} {number}")
            for number, priority in enumerate(given)
        ]
        gate.touch()
        for future in futures:
            future.result(WAIT)
    assert noted.read_text().splitlines() == ["10 5", "5 1", "5 3", "0.5 4", "0 0", "-1 2"]


def test_a_higher_priority_overtakes_what_the_program_still_holds(tmp_path: Path) -> None:
    began, gate, noted = tmp_path / "began", tmp_path / "gate", tmp_path / "order"
    with started(tmp_path, max_workers_per_node=1) as kernel:
        held = app(kernel, hold)(str(began), str(gate))
        assert eventually(began.exists)
        futures = [app(kernel, note)(str(noted), "low") for _ in range(100)]
        futures += [app(kernel, note, priority=1)(str(noted), "high") for _ in range(3)]
        gate.touch()
        for future in (held, *futures):
            future.result(WAIT)
    order = noted.read_text().split()
    first = order.index("high")
    assert order[first : first + 3] == ["high"] * 3
    assert first <= 32  # the interchange holds 16 and what fits in the slots; the rest is here


def test_a_function_in_c_that_says_nothing_of_its_arguments_may_be_an_app(
    kernel: DataFlowKernel,
) -> None:
    assert app(kernel, max)(1, 2).result(WAIT) == 2
    assert app(kernel, time.sleep)(0).result(WAIT) is None
    assert isinstance(app(kernel, max)().exception(WAIT), TypeError)
