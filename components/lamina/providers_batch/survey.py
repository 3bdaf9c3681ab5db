"""What a doctor asks of a batch system beside its jobs: its programs, and its accounting."""

from pathlib import Path
from typing import NamedTuple

from lamina.channels import ChannelError
from lamina.providers_batch.answers import NoAnswer, NotKept
from lamina.providers_batch.dialect import BatchJob, Dialect
from lamina.providers_batch.engine import BatchEngine
from lamina.vocabulary import JobId

__all__ = ["Surveyed", "programs_of", "survey_accounting", "survey_programs"]

# `command -v` of some shells takes one name only.
FIND = 'for one; do command -v "$one" || echo "?$one"; done'
UNKNOWN = JobId("1")  # stands for any job
NOWHERE = Path("/dev/null")
NOTHING = BatchJob(
    name="nothing",
    nodes=1,
    launched="true",
    worker_init="",
    stdout=NOWHERE,
    stderr=NOWHERE,
    exit_code=NOWHERE,
)


class Surveyed(NamedTuple):
    """What came of a question."""

    well: bool
    says: str


def survey_programs(provider: object) -> Surveyed | None:
    """Whether the commands of the scheduler are there; None for a provider without any."""
    engine = _engine_of(provider)
    if engine is None:
        return None
    wanted = programs_of(engine.dialect)
    try:
        done = engine.channel.run(["sh", "-c", FIND, "sh", *wanted], timeout=engine.cmd_timeout)
    except ChannelError as error:
        return Surveyed(False, str(error))
    lines = done.stdout.splitlines()
    missing = [line[1:] for line in lines if line.startswith("?")]
    if missing or len(lines) < len(wanted):
        lost = ", ".join(missing or wanted)
        return Surveyed(False, f"not on the PATH: {lost}; see that the batch system's are")
    return Surveyed(True, ", ".join(lines))


def survey_accounting(provider: object, job: JobId) -> Surveyed | None:
    """Whether the second source about ended jobs answers; None where there is none to ask."""
    engine = _engine_of(provider)
    questions = [] if engine is None else list(engine.dialect.look_up([job]))
    if engine is None or not questions:
        return None
    question = questions[0]
    program = question.program
    try:
        done = engine.channel.run(
            question.command, stdin=question.stdin, timeout=engine.cmd_timeout
        )
    except ChannelError as error:
        return Surveyed(False, str(error))
    found = engine.dialect.read_look_up(done)
    if isinstance(found, NotKept):
        return Surveyed(True, f"none ({found.why}); ends are known from what scripts leave")
    if isinstance(found, NoAnswer):
        return Surveyed(False, f"{program} gave no usable answer: {found.why}")
    if job not in found:
        return Surveyed(True, f"{program} answers, and does not know job {job} yet")
    return Surveyed(True, f"{program} answers: job {job} is {found[job].status.state.value}")


def programs_of(dialect: Dialect) -> list[str]:
    """The programs that it speaks to the batch system with."""
    asked = [
        dialect.submit(dialect.script(NOTHING), NOTHING.exit_code),
        dialect.list_jobs([UNKNOWN]),
        *dialect.cancel([UNKNOWN]),
        *dialect.look_up([UNKNOWN]),
    ]
    return list(dict.fromkeys(one.program for one in asked if one is not None))


def _engine_of(provider: object) -> BatchEngine | None:
    engine = getattr(provider, "_engine", None)
    return engine if isinstance(engine, BatchEngine) else None
