"""What the emulator of Torque's commands answers, beside real commands of these names.

The real ones are SchedMD's wrappers around Slurm: the only ones of an emulated system that can be
had here. PBS Pro, LSF, HTCondor and Flux are in no archive that this machine reaches.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.channels import Completed, LocalChannel
from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import Accepted, Invocation, Listing, NoAnswer, Refused
from lamina.providers_batch.dialect import BatchJob
from lamina.providers_batch.pbs_dialect import PbsDialect, pbs_directives
from lamina.vocabulary import JobId
from tests.fakes.batch_emulator import install
from tests.integration.batch import contents, environment, run, until

pytestmark = pytest.mark.service

Answers = Mapping[str, object]
OURS = {"account": None, "walltime": 120.0, "resources": "nodes=1:ppn=1"}
# Where Torque and the wrappers differ, the emulator is Torque: after the end it tells the exit
# status (its manual: keep_completed), of which the wrappers know nothing and the dialect makes
# no sighting at all; the script's own word then counts.
TORQUE_ONLY = {
    "listed when it has ended well": JobStatus(
        state=JobState.COMPLETED, reason="exit status 0", exit_code=0
    ),
    "listed when it has failed": JobStatus(
        state=JobState.FAILED, reason="exit status 4", exit_code=4
    ),
    "listed when it was cancelled": JobStatus(
        state=JobState.CANCELLED,
        reason="it was killed by SIGTERM, and not by this program",
        exit_code=-15,
    ),
}


@attrs.define
class Commands:
    """Commands on a PATH, and a place for scripts."""

    path: str
    place: Path
    dialect: PbsDialect = attrs.field(
        factory=lambda: PbsDialect(history=False, directives=pbs_directives(queue=None, **OURS))  # type: ignore[arg-type]
    )

    def run(self, invocation: Invocation) -> Completed:
        env = {"PATH": self.path}
        words = ["env", *invocation.command]  # looked up on that PATH
        return LocalChannel().run(words, stdin=invocation.stdin, env=env, timeout=20.0)

    def submitted(self, name: str, command: str, dialect: PbsDialect | None = None) -> Any:
        dialect = dialect or self.dialect
        script = self.place / f"{name}.sh"
        text = dialect.script(
            BatchJob(
                name=name,
                nodes=1,
                launched=command,
                worker_init="",
                stdout=self.place / f"{name}.out",
                stderr=self.place / f"{name}.err",
                exit_code=script.with_suffix(".ec"),
            )
        )
        script.write_text(text)
        return dialect.read_submit(self.run(dialect.submit(text, script)))

    def listed(self, *jobs: JobId) -> Listing | NoAnswer:
        return self.dialect.read_list(self.run(self.dialect.list_jobs(jobs)))

    def cancelled(self, *jobs: JobId) -> NoAnswer | None:
        [invocation] = self.dialect.cancel(jobs)
        return self.dialect.read_cancel(self.run(invocation))

    def seen(self, job: JobId) -> object:
        """All that is read of a job: its status and its name, or that it is not told of."""
        found = self.listed(job)
        return found.get(job) if isinstance(found, dict) else found

    def stands(self, job: JobId, state: JobState) -> object:
        def there() -> object:
            found = self.seen(job)
            return found if getattr(found, "status", None) and found.status.state is state else None  # type: ignore[attr-defined]

        return until(there)

    def left(self, name: str) -> str:
        """What the script has left as its exit status."""
        path = self.place / f"{name}.ec"
        return str(until(lambda: contents(path)))


def life_of_jobs(here: Commands, busy: Callable[[bool], None]) -> Answers:
    """One life of everything that the dialect reads. ``busy`` keeps jobs from starting."""
    answers: dict[str, object] = {}

    def accepted(name: str, command: str) -> JobId:
        answer = here.submitted(name, command)
        assert isinstance(answer, Accepted), answer
        answers[f"{name} was submitted"] = type(answer)
        return answer.job

    elsewhere = PbsDialect(history=False, directives=pbs_directives(queue="nowhere", **OURS))  # type: ignore[arg-type]
    refused = here.submitted("refused", "true", elsewhere)
    answers["refused"] = type(refused), bool(getattr(refused, "said", ""))
    answers["listed when nobody knows it"] = here.listed(JobId("987654"))
    answers["cancelled when nobody knows it"] = here.cancelled(JobId("987654"))

    busy(True)
    waits = accepted("waits", "true")
    answers["listed while it waits"] = here.stands(waits, JobState.PENDING)
    answers["cancelled while it waits"] = here.cancelled(waits)
    gone = until(lambda: (s := here.seen(waits)) is None or (s.status.state.terminal and s))  # type: ignore[attr-defined]
    answers["listed when it never ran"] = gone
    busy(False)

    runs = accepted("runs", "sleep 100")
    answers["listed while it runs"] = here.stands(runs, JobState.RUNNING)
    both = here.listed(runs, JobId("987654"))
    answers["listed beside one that nobody knows"] = isinstance(both, dict) and both.keys() == {
        runs
    }
    answers["cancelled while it runs"] = here.cancelled(runs)
    answers["left when it was cancelled"] = here.left("runs")
    answers["listed when it was cancelled"] = _ended(here, runs)
    answers["cancelled when it has ended"] = here.cancelled(runs)

    for name, code, words in (("good", 0, "ended well"), ("bad", 4, "failed")):
        job = accepted(name, f"exit {code}")
        answers[f"left when it has {words}"] = here.left(name)
        answers[f"listed when it has {words}"] = _ended(here, job)
    return answers


def _ended(here: Commands, job: JobId) -> object:
    """The status once it has ended; None where the list does not tell of such jobs."""

    def end() -> tuple[object] | None:
        found: Any = here.seen(job)
        if found is None:
            return (None,)
        return (found.status,) if found.status.state.terminal else None

    return until(end)[0]


@pytest.fixture
def real(cluster: dict[str, str], tmp_path: Path) -> Commands:
    folder = environment("pbs.sh")["TESTBED_PBS_BIN"]
    (tmp_path / "real").mkdir()
    return Commands(f"{folder}:{os.environ['PATH']}", tmp_path / "real")


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Commands]:
    folder = tmp_path / "bin"
    folder.mkdir()
    install(folder, "torque")
    (tmp_path / "emulated").mkdir()
    yield Commands(f"{folder}:{os.environ['PATH']}", tmp_path / "emulated")
    for path in folder.glob("*.sh"):
        path.with_suffix(".cancel").touch()


def test_the_answers_come_to_the_same(real: Commands, emulated: Commands) -> None:
    def partition(full: bool) -> None:
        state = "DOWN" if full else "UP"
        run("scontrol", "update", "PartitionName=debug", f"State={state}")

    full = Path(emulated.path.partition(":")[0], "full")
    try:
        said = life_of_jobs(real, partition)
    finally:
        partition(False)
    ours = life_of_jobs(emulated, lambda yes: full.touch() if yes else full.unlink())
    assert ours == {**said, **TORQUE_ONLY}
    assert {what: said[what] for what in TORQUE_ONLY} == dict.fromkeys(TORQUE_ONLY)
    assert said["refused"] == (Refused, True)
