"""The doctor, with blocks on this machine and with a batch system that keeps no promise."""

from collections.abc import Collection, Mapping
from pathlib import Path

import attrs

from lamina.executors import Executor, ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.hosting import EndpointConfig, Finding, examine
from lamina.hosting.doctor import _given_back
from lamina.providers import (
    BlockRequest,
    JobState,
    JobStatus,
    LocalProvider,
    ProviderUnavailable,
    SubmitRejected,
)
from lamina.providers_batch import SlurmProvider
from lamina.vocabulary import JobId
from tests.fakes.channels import ScriptedChannel, said


@attrs.frozen(kw_only=True)
class _Provider(LocalProvider):
    """Refuses, or takes a job of which nothing is ever heard again."""

    refuses: bool = False
    silent: bool = False

    def submit(self, request: BlockRequest) -> JobId:
        if self.refuses:
            raise SubmitRejected(request.block, "sub", 1, "no such queue")
        return JobId("17")

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        if self.silent:
            raise ProviderUnavailable("stat", "it hangs")
        return dict.fromkeys(jobs, JobStatus(state=JobState.PENDING, reason="no nodes"))

    def cancel(self, jobs: Collection[JobId]) -> None:
        pass


def findings(executor: Executor, place: Path, patience: float = 20.0) -> dict[str, Finding]:
    config = EndpointConfig(executors=[executor], run_dir=place)
    ((label, found),) = examine(config, patience)
    assert label == executor.label
    return {one.what: one for one in found}


def test_where_all_is_well_it_says_so(tmp_path: Path) -> None:
    provider = LocalProvider(init_blocks=3, max_blocks=3)
    found = findings(HighThroughputExecutor("work", provider, max_workers_per_node=1), tmp_path)
    assert [name for name, one in found.items() if not one.well] == []
    assert list(found) == [
        "options",
        "submission",
        "block",
        "Python",
        "packages",
        "node",
        "addresses",
        "clock",
        "shared directory",
        "given back",
    ]
    assert len(list((tmp_path / "000" / "work" / "blocks").glob("*.sh"))) == 1


def test_an_executor_without_blocks_runs_a_task(tmp_path: Path) -> None:
    found = findings(ThreadPoolExecutor(), tmp_path)
    assert found["task"].well


def test_contradictions_are_found_before_anything_is_submitted(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(provider=SlurmProvider(cores_per_node=2), cores_per_worker=4)
    found = findings(executor, tmp_path)
    assert list(found) == ["options"]
    assert not found["options"].well
    assert "make it 2 or less" in found["options"].says


def test_a_block_that_dies_shows_its_last_words(tmp_path: Path) -> None:
    provider = LocalProvider(worker_init="echo module not found >&2; exit 3")
    found = findings(HighThroughputExecutor(provider=provider), tmp_path)
    assert not found["block"].well
    assert "module not found" in found["its output"].says


def test_a_submission_that_is_refused_says_why(tmp_path: Path) -> None:
    found = findings(HighThroughputExecutor(provider=_Provider(refuses=True)), tmp_path)
    assert list(found) == ["options", "submission"]
    assert "no such queue" in found["submission"].says


def test_a_block_that_never_comes_is_told_with_the_reason(tmp_path: Path) -> None:
    provider = _Provider(status_polling_interval=0.01)
    found = findings(HighThroughputExecutor(provider=provider), tmp_path, patience=3.0)
    assert found["block"].says.startswith("pending after 3.")
    assert found["block"].says.endswith("no node is here: no nodes")
    assert found["given back"] == Finding("given back", False, "job 17 is still pending")


def test_a_batch_system_that_gives_no_answer_is_told() -> None:
    found = _given_back(_Provider(silent=True), JobId("17"), 1.0)
    assert not found.well
    assert "it hangs" in found.says


def test_commands_that_are_not_there_are_told(tmp_path: Path) -> None:
    channel = ScriptedChannel(sh=said("/usr/bin/sbatch\n?squeue\n?scancel\n/usr/bin/sacct\n"))
    channel.answers["sbatch"] = said(stderr="sbatch: error: no", status=1)
    executor = HighThroughputExecutor(provider=SlurmProvider(channel=channel))
    found = findings(executor, tmp_path)
    assert not found["commands"].well
    assert found["commands"].says.startswith("not on the PATH: squeue, scancel;")
    assert "sbatch: error: no" in found["submission"].says
