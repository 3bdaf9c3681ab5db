"""What tasks ask for, on the managers and workers of this machine."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.apps import App, python_app
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.resources import Binding, NodeBinder, NodeFacts, Offer
from lamina.vocabulary import ConfigError, HasStarted, Resources, ResourcesUnavailable
from tests.integration.htex.world import until

WAIT = 30  # seconds
CORES = sorted(os.sched_getaffinity(0))
NAMES = ["x", "y"]

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="one core cannot be shared out")


@attrs.define(kw_only=True)
class Licences(NodeBinder):
    """A binder of somebody's own: a node has so many licences."""

    count: int = 1
    free: int = attrs.field(default=0, init=False, eq=False)

    @property
    def honours(self) -> frozenset[str]:
        return frozenset({"extra"})

    def offer(self, node: NodeFacts) -> Offer:
        self.free = self.count
        return super().offer(node)

    def refusal(self, wanted: Resources) -> str:
        if int(wanted.extra.get("licences", 0)) > self.count:
            return f"more licences than the {self.count} there are"
        return ""

    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        taken = 0 if wanted is None else int(wanted.extra.get("licences", 0))
        if taken > self.free:
            return None
        self.free -= taken
        return Binding({"LICENCES": str(taken)}, None, taken)

    def release(self, binding: Binding) -> None:
        self.free += binding.taken

    def leaves_room(self, wanted: Resources, place: int) -> bool:
        return True


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFlowKernel]:
    executor = HighThroughputExecutor(
        max_workers_per_node=2, cpu_affinity="block", available_accelerators=NAMES
    )
    with DataFlowKernel(
        Config(executors=[executor], run_dir=tmp_path_factory.mktemp("runs"))
    ) as made:
        yield made


def app(kernel: DataFlowKernel, function: Callable[..., Any], **options: Any) -> App[..., Any]:
    return python_app(function, data_flow_kernel=kernel, **options)


def see() -> tuple[list[int], str | None, str | None]:
    """The cores, threads and accelerators of a task."""
    threads, shown = os.environ.get("OMP_NUM_THREADS"), os.environ.get("CUDA_VISIBLE_DEVICES")
    return sorted(os.sched_getaffinity(0)), threads, shown


def meet(folder: str, count: int) -> bool:
    """Whether so many tasks were here at one time."""
    Path(folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()
    end = time.monotonic() + 20
    while len(os.listdir(folder)) < count:
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def note(path: str, gate: str | None = None) -> None:
    """Write down when it began and, once the gate is there, when it ended."""
    began = time.monotonic()
    while gate is not None and not os.path.exists(gate):
        time.sleep(0.005)
    Path(f"{path}.new").write_text(f"{began} {time.monotonic()}")
    os.rename(f"{path}.new", path)


def times(path: Path) -> tuple[float, float]:
    began, ended = path.read_text().split()
    return float(began), float(ended)


def test_each_worker_has_cores_and_an_accelerator_of_its_own(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    def here(folder: str) -> tuple[bool, list[int], str | None]:
        return meet(folder, 2), sorted(os.sched_getaffinity(0)), os.getenv("CUDA_VISIBLE_DEVICES")

    both = [app(kernel, here)(str(tmp_path)) for _ in range(2)]
    half = len(CORES) // 2
    assert sorted(future.result(WAIT) for future in both) == [
        (True, CORES[:half], "x"),
        (True, CORES[half : 2 * half], "y"),
    ]


def test_a_task_has_the_cores_and_accelerators_that_it_asks_for(kernel: DataFlowKernel) -> None:
    every = len(CORES)
    wide = app(kernel, see, resources={"cores": every, "accelerators": 2})
    assert wide().result(WAIT) == (CORES, str(every), "x,y")
    assert app(kernel, see, resources={"cores": 1})().result(WAIT) == (CORES[:1], "1", "")
    cores, _, shown = app(kernel, see)().result(WAIT)
    assert (len(cores), shown in NAMES) == (every // 2, True), "the worker is as it was before"


def test_halves_of_an_accelerator_are_used_at_the_same_time(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    def here(folder: str) -> tuple[bool, str | None]:
        return meet(folder, 2), os.getenv("CUDA_VISIBLE_DEVICES")

    half = app(kernel, here, resources={"accelerators": 0.5})
    assert [future.result(WAIT) for future in [half(str(tmp_path)) for _ in range(2)]] == [
        (True, "x"),
        (True, "x"),
    ]


def test_wide_tasks_run_one_after_the_other_and_are_not_starved(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wide = app(kernel, note, resources={"cores": len(CORES)})
    narrow = app(kernel, note, resources={"cores": 1})
    first = narrow(str(tmp_path / "first"), str(gate))
    futures: list[Future[None]] = [wide(str(tmp_path / "wide1")), wide(str(tmp_path / "wide2"))]
    futures += [narrow(str(tmp_path / f"narrow{n}")) for n in range(20)]
    gate.touch()
    for future in [first, *futures]:
        future.result(WAIT)
    spans = {path.name: times(path) for path in tmp_path.iterdir() if path != gate}
    others = [span for name, span in spans.items() if name.startswith("narrow")]
    for began, ended in (spans["wide1"], spans["wide2"]):
        assert began >= spans["first"][1]
        assert all(ended <= start or end <= began for start, end in others)
    assert spans["wide1"][1] <= spans["wide2"][0] or spans["wide2"][1] <= spans["wide1"][0]
    assert max(spans["wide1"][1], spans["wide2"][1]) <= min(start for start, _ in others)


def test_what_no_node_has_fails_with_the_figures(kernel: DataFlowKernel) -> None:
    error = app(kernel, see, resources={"cores": 10_000})().exception(WAIT)
    assert isinstance(error, ResourcesUnavailable)
    assert error.started is HasStarted.NO
    assert f"10000 cores, of which there are {len(CORES)} (on " in str(error)


def test_what_the_executor_does_not_hand_out_is_refused_before(kernel: DataFlowKernel) -> None:
    for asked in ({"nodes": 1}, {"ranks": 2}, {"extra": {"licences": 1}}):
        error = app(kernel, see, resources=asked)().exception(WAIT)
        assert isinstance(error, ConfigError)
        assert next(iter(asked)) in str(error)


def test_a_worker_that_dies_gives_its_cores_back(kernel: DataFlowKernel) -> None:
    def die() -> None:
        os.kill(os.getpid(), 9)

    every = {"cores": len(CORES), "accelerators": 2}
    assert app(kernel, die, resources=every, retries=0)().exception(WAIT) is not None
    assert app(kernel, see, resources=every)().result(WAIT)[0] == CORES


def test_memory_limits_the_workers_and_is_shared_out(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(mem_per_worker="1 KiB", max_workers_per_node=2)
    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path)) as kernel:
        until(lambda: sum(one["slots"] for one in executor_of(kernel).connected_managers()) == 2)
        assert app(kernel, see, resources={"memory": "1 MiB"})().result(WAIT)[0] == CORES
        error = app(kernel, see, resources={"memory": "999 TiB"})().exception(WAIT)
        assert isinstance(error, ResourcesUnavailable)
    executor = HighThroughputExecutor(mem_per_worker="999 TiB")
    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path)) as kernel:
        until(lambda: sum(one["slots"] for one in executor_of(kernel).connected_managers()) == 1)


def test_a_binder_of_ones_own_works_on_the_node(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=2, resource_binder=Licences(count=1))

    def mine(folder: str) -> str:
        path = Path(folder) / "licence"
        path.touch(exist_ok=False)
        time.sleep(0.02)
        path.unlink()
        return os.environ["LICENCES"]

    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path / "runs")) as kernel:
        one = app(kernel, mine, resources={"extra": {"licences": 1}})
        futures = [one(str(tmp_path)) for _ in range(6)]
        assert {future.result(WAIT) for future in futures} == {"1"}
        two = app(kernel, mine, resources={"extra": {"licences": 2}})(str(tmp_path))
        assert "more licences than the 1 there are" in str(two.exception(WAIT))


def executor_of(kernel: DataFlowKernel) -> HighThroughputExecutor:
    (executor,) = kernel.executors.values()
    assert isinstance(executor, HighThroughputExecutor)
    return executor
