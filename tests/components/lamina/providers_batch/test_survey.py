import pytest

from lamina.channels import CommandTimeout
from lamina.providers import LocalProvider, Provider
from lamina.providers_batch import (
    CondorProvider,
    GridEngineProvider,
    LSFProvider,
    SlurmProvider,
    TorqueProvider,
    survey_accounting,
    survey_programs,
)
from lamina.vocabulary import JobId
from tests.fakes.channels import ScriptedChannel, said

JOB = JobId("17")


@pytest.mark.parametrize(
    "make, programs",
    [
        (SlurmProvider, ["sbatch", "squeue", "scancel", "sacct"]),
        (GridEngineProvider, ["qsub", "qstat", "qdel", "qacct"]),
        (TorqueProvider, ["qsub", "qstat", "qdel"]),
        (LSFProvider, ["bsub", "bjobs", "bkill"]),
        (CondorProvider, ["condor_submit", "condor_q", "condor_rm", "condor_history"]),
    ],
)
def test_each_program_of_a_batch_system_is_looked_for(
    make: type[SlurmProvider], programs: list[str]
) -> None:
    channel = ScriptedChannel(sh=said("".join(f"/bin/{name}\n" for name in programs)))
    found = survey_programs(make(channel=channel))
    assert found == (True, ", ".join(f"/bin/{name}" for name in programs))
    assert [command[4:] for command in channel.asked] == [tuple(programs)]


def test_what_is_missing_is_named() -> None:
    channel = ScriptedChannel(sh=said("/bin/sbatch\n?squeue\n/bin/scancel\n/bin/sacct\n"))
    found = survey_programs(SlurmProvider(channel=channel))
    assert found == (False, "not on the PATH: squeue; see that the batch system's are")
    channel.answers["sh"] = CommandTimeout("sh", 3)
    found = survey_programs(SlurmProvider(channel=channel))
    assert found is not None
    assert "still running after 3 s" in found.says


@pytest.mark.parametrize("provider", [LocalProvider(), TorqueProvider()])
def test_where_nobody_can_be_asked_there_is_nothing_to_say(provider: Provider) -> None:
    assert survey_accounting(provider, JOB) is None
    assert survey_programs(LocalProvider()) is None


@pytest.mark.parametrize(
    "answer, well, says",
    [
        (said("17|CANCELLED|0:0|it\n"), True, "sacct answers: job 17 is cancelled"),
        (said(""), True, "sacct answers, and does not know job 17 yet"),
        (
            said(stderr="Slurm accounting storage is disabled", status=1),
            True,
            "none (Slurm accounting storage is disabled); ends are known",
        ),
        (said(stderr="it hurts", status=1), False, "sacct gave no usable answer: it hurts"),
        (CommandTimeout("sacct", 3), False, "still running"),
    ],
)
def test_the_accounting_is_asked_about_the_job(answer: object, well: bool, says: str) -> None:
    channel = ScriptedChannel(sacct=answer)  # type: ignore[arg-type]
    found = survey_accounting(SlurmProvider(channel=channel), JOB)
    assert found is not None
    assert found.well is well
    assert says in found.says
