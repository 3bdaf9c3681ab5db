"""Has the files of tasks moved: chooses how, and submits the tasks that do it."""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, Protocol

import attrs

from lamina.executors import Capabilities, ThreadPoolExecutor
from lamina.kernel.fleet import Fleet
from lamina.kernel.futures import KernelFuture
from lamina.kernel.plans import Errand, Plan, Reach, files_of, plan_of
from lamina.kernel.protocol import TaskOptions, TaskSpec
from lamina.kernel.task import Task
from lamina.retry_policy import Again, Decision, GiveUp, Trouble
from lamina.staging import DEFAULT, Brought, Desk, Direction, NoStaging, Registry, drop, plugins_of
from lamina.vocabulary import (
    Cause,
    Failure,
    File,
    HasStarted,
    StagingFailed,
    TaskId,
)

__all__ = ["CLIENT", "Stager", "StagingSettings"]

CLIENT = "kernel-staging"
"""The label of the threads on which this host moves files."""

_ONCE_MORE = frozenset({Cause.WORKER_LOST, Cause.BLOCK_ENDED, Cause.NODE_LOST})


@attrs.frozen
class _WhereOthersDied:
    """Moving a file again does no harm, so a transfer that lost its worker is begun anew.

    What the other side refused has been tried often enough by the plug-in itself.
    """

    def decide(self, trouble: Trouble) -> Decision:
        """Again, up to three times."""
        if trouble.failure.cause in _ONCE_MORE and len(trouble.history) <= 3:
            return Again()
        return GiveUp()


@attrs.frozen(kw_only=True)
class StagingSettings:
    """What a Config says about staging."""

    storage: tuple[Any, ...] | None
    limit: int
    walltime: float | None
    threads: int
    run_dir: Path


class _Shell(Protocol):
    """What a stager needs of the engine."""

    tasks: dict[TaskId, Task]

    def on_submitted(self, task: Task, waits: Sequence[TaskId], foreign: int) -> None: ...

    def on_cancelled(self, task: TaskId) -> None: ...


class Stager:
    """The staging of one kernel. But for ``close``, only the driver calls it.

    Most kernels need not look for files at all, and do not: where plain ones, too, may have to be
    moved, it says so in ``File.need_staging``.
    """

    def __init__(
        self, fleet: Fleet, settings: StagingSettings, new_id: Callable[[], TaskId]
    ) -> None:
        self._fleet, self._settings, self._new_id = fleet, settings, new_id
        able = {label: one.capabilities for label, one in fleet.running.items()}
        self._capabilities: dict[str, Capabilities] = able
        if settings.storage is not None or any(
            not one.shared_file_system or one.storage_access is not None for one in able.values()
        ):
            File.need_staging = True
        self._reaches: dict[str, Reach] = {}
        self._default: Registry | None = None
        # Other programs may share the directories, from other hosts too.
        self._run = f"{settings.run_dir.name}-{secrets.token_hex(8)}"
        beside = str(settings.run_dir.parent / "staging")
        self._home = Desk(self._run, settings.limit, beside)
        self._flying: dict[tuple[Any, ...], tuple[KernelFuture[Any], set[TaskId]]] = {}

    # Choosing.

    def able(self, task: Task) -> Sequence[str] | None:
        """The executors, of those allowed, to which and from which all its files can be moved.

        Raises:
            NoStaging: There is none.
        """
        assert task.args is not None
        assert task.kwargs is not None
        outputs = task.spec.outputs
        inputs = files_of(task.args, task.kwargs, outputs)
        if not inputs and not outputs:
            return task.executors
        allowed = tuple(self._capabilities) if task.executors is None else task.executors
        wrong: NoStaging | None = None
        good = []
        for label in allowed:
            try:
                reach = self._reach(label)
                for file in inputs:
                    reach.registry.choose(file, Direction.IN, label, shared=reach.shared)
                for file in outputs:
                    reach.registry.choose(file, Direction.OUT, label, shared=reach.shared)
            except NoStaging as error:
                wrong = wrong or error
            else:
                good.append(label)
        if not good and wrong is not None:
            raise wrong
        return good

    def plan(self, task: Task, label: str) -> Plan | None:
        """How the files of its next attempt are moved, if they are.

        Raises:
            NoStaging: Nothing can move one of them.
            ConfigError: It asks for a sandbox where there can be none.
        """
        spec = task.spec
        assert task.args is not None
        assert task.kwargs is not None
        return plan_of(
            task.described,
            spec.function,
            task.args,
            task.kwargs,
            spec.outputs,
            reach=self._reach(label),
            home=self._home,
            attempt=str(task.attempt),
            sandbox=spec.options.sandbox,
        )

    def _reach(self, label: str) -> Reach:
        reach = self._reaches.get(label)
        if reach is None:
            able = self._capabilities[label]
            if able.storage_access is not None:
                registry = Registry(plugins_of(able.storage_access))
            else:
                registry = self._default = self._default or self._usual()
            shared = able.shared_file_system
            folder = able.working_dir or (self._home.folder if shared else None)
            desk = Desk(self._run, self._settings.limit, folder)
            reach = Reach(label, registry, shared, able.own_processes, desk)
            self._reaches[label] = reach
        return reach

    def _usual(self) -> Registry:
        storage = self._settings.storage
        return Registry(plugins_of(DEFAULT if storage is None else storage))

    # Moving.

    def submit(
        self, shell: _Shell, task: Task, errands: Sequence[Errand], label: str
    ) -> list[TaskId]:
        """Submit tasks that move files for this one; what moves already is not moved twice."""
        assert task.plan is not None
        futures: list[KernelFuture[Any]] = []
        waits = []
        keys: list[tuple[Any, ...]] = []
        for errand in errands:
            where = CLIENT if errand.on_client else label
            file, plugin = errand.args[:2]
            key = (where, errand.function, file.url, file.checksum, file.size, id(plugin))
            future, wanting = self._flying.get(key, (None, set()))
            if errand.name.startswith("stage-out") or future is None or future.done():
                future, wanting = self._start(shell, task, errand, where), set()
                self._flying[key] = future, wanting
            wanting.add(task.id)
            futures.append(future)
            keys.append(key)
            if future.task_id is not None:
                waits.append(future.task_id)
        task.plan.futures, task.plan.keys = futures, keys
        return waits

    def _start(self, shell: _Shell, task: Task, errand: Errand, where: str) -> KernelFuture[Any]:
        if where == CLIENT and CLIENT not in self._fleet.running:
            self._fleet.add(ThreadPoolExecutor(CLIENT, self._settings.threads))
        options = TaskOptions(
            executors=(where,),
            priority=task.spec.options.priority,
            walltime=self._settings.walltime,
            retry=_WhereOthersDied(),
            transfer=True,
        )
        spec = TaskSpec(errand.function, errand.args, {}, KernelFuture(), errand.name, options)
        moving = Task(self._new_id(), spec, (), (where,), None)
        future = spec.future
        assert isinstance(future, KernelFuture)
        future.bind(shell, moving.id, spec.name)  # type: ignore[arg-type]  # the engine is one
        shell.tasks[moving.id] = moving
        shell.on_submitted(moving, (), 0)
        return future

    def abandon(self, task: Task) -> None:
        """The task was cancelled: what nobody else waits for need not be moved any more."""
        for key in () if task.plan is None else task.plan.keys:
            future, wanting = self._flying.get(key, (None, set()))
            wanting.discard(task.id)
            if future is not None and not wanting:
                del self._flying[key]
                future.cancel()

    def brought(self, task: Task) -> Failure | None:
        """The tasks that move its files are done: take note of it, or say what failed."""
        plan = task.plan
        assert plan is not None
        for key in plan.keys:
            flying, _ = self._flying.get(key, (None, set()))
            if flying is not None and flying.done():
                del self._flying[key]
        started = HasStarted.NO if plan.before else HasStarted.YES
        for future in plan.futures:
            error = CancelledError() if future.cancelled() else future.exception(0)
            if error is not None:
                return _failure(error, future, started)
        for errand, future in zip(plan.before, plan.futures, strict=False):
            found = future.result(0)
            assert isinstance(found, Brought)
            plan.came(errand.number, found.key, found.content)
        plan.before, plan.futures, plan.keys = [], (), ()
        return None

    def close(self) -> None:
        """Remove what was left behind by attempts that failed, where it can be seen from here."""
        for reach in self._reaches.values():
            if reach.shared and reach.desk.folder is not None:
                folder = Path(reach.desk.folder)
                for left in (folder / "kept" / self._run, *folder.glob(f"tasks/{self._run}-*")):
                    drop(left)


def _failure(error: BaseException, future: Future[Any], started: HasStarted) -> Failure:
    """What an attempt failed with whose file could not be moved."""
    if not isinstance(error, StagingFailed):
        name = future.described if isinstance(future, KernelFuture) else "a transfer"
        failed = StagingFailed(f"{name} ended with {type(error).__name__}: {error}", started)
        failed.__cause__ = error
        error = failed
    return Failure(cause=Cause.STAGING, error=error, started=started)
