from collections.abc import Collection, Mapping
from typing import Any

from lamina.conformance import PROVIDER
from lamina.providers import JobState, JobStatus
from lamina.vocabulary import JobId
from tests.kits import assert_each_clause_can_fail


class Fake:
    """A batch system in which every job is in one state from the start."""

    label = "fake"
    blocks_are_local = True
    nodes_per_block = 1
    init_blocks = 1
    min_blocks = 0
    max_blocks = 1
    parallelism = 1.0
    status_polling_interval = 0.0

    def __init__(self, state: JobState, names: str = "", nodes: int = 1) -> None:
        self.state, self.names, self.count, self.nodes_per_block = state, names, 0, nodes

    def submit(self, request: object) -> JobId:
        self.count += 1
        return JobId(self.names or str(self.count))

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        return {job: JobStatus(state=self.state) for job in [*jobs, JobId("another")]}

    def cancel(self, jobs: Collection[JobId]) -> None:
        if not self.state.terminal:
            self.state = JobState.GONE


def fake(state: JobState, names: str = "", nodes: int = 1) -> Any:
    return lambda: Fake(state, names, nodes)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        PROVIDER,
        {
            "provider.poll.stranger": fake(JobState.RUNNING),
            "provider.poll.nothing": fake(JobState.RUNNING),
            "provider.submit.well": fake(JobState.FAILED),
            "provider.submit.badly": fake(JobState.COMPLETED),
            "provider.submit.many": fake(JobState.RUNNING, names="one"),
            "provider.cancel": fake(JobState.COMPLETED),
            "provider.limits": fake(JobState.RUNNING, nodes=0),
        },
    )
