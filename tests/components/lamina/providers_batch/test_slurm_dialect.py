"""Answers marked "real" were printed by Slurm 22.05.8."""

from pathlib import Path

import pytest

from lamina.providers import JobState, JobStatus
from lamina.providers_batch.answers import Accepted, Deferred, NoAnswer, NotKept, Refused
from lamina.providers_batch.slurm_dialect import (
    ENDS,
    LETTERS,
    STATES,
    SlurmDialect,
    slurm_directives,
)
from lamina.vocabulary import JobId
from tests.fakes.channels import said

PLAIN = SlurmDialect()
# Real.
QUEUE = """\
5|PENDING|PartitionDown|closed
1|FAILED|NonZeroExitCode|a b|c
6|PENDING|Resources|wait
4|PENDING|JobHeldUser|held
2|CANCELLED|None|long
3|RUNNING|None|part
"""
# Real.
ACCOUNTS = """\
1|FAILED|3:0|testbed
2|CANCELLED by 0|0:0|testbed
3|RUNNING|0:0|testbed
4|PENDING|0:0|testbed
"""


def listed(text: str, dialect: SlurmDialect = PLAIN) -> dict[JobId, JobStatus]:
    found = dialect.read_list(said(text))
    assert isinstance(found, dict), found
    return {job: sighting.status for job, sighting in found.items()}


def test_a_queue_is_read() -> None:
    found = listed(QUEUE)
    assert {int(job): (status.state, status.reason) for job, status in found.items()} == {
        1: (JobState.FAILED, "its script failed"),
        2: (JobState.CANCELLED, "it was cancelled, and not by this program"),
        3: (JobState.RUNNING, ""),
        4: (JobState.HELD, "it is held by its owner"),
        5: (JobState.PENDING, "its partition starts no jobs"),
        6: (JobState.PENDING, "it waits for nodes"),
    }
    names = PLAIN.read_list(said(QUEUE))
    assert isinstance(names, dict)
    assert names[JobId("1")].name == "a b|c"


def test_the_accounting_is_read() -> None:
    found = PLAIN.read_look_up(said(ACCOUNTS))
    assert isinstance(found, dict)
    assert found[JobId("1")].status == JobStatus(
        state=JobState.FAILED, reason="its script failed: exit status 3", exit_code=3
    )
    assert found[JobId("2")].status.state is JobState.CANCELLED
    assert found[JobId("3")].status.state is JobState.RUNNING
    assert PLAIN.read_look_up(said("")) == {}


@pytest.mark.parametrize(
    "state, code, expected",
    [
        ("COMPLETED", "0:0", 0),
        ("FAILED", "0:9", -9),
        ("OUT_OF_MEMORY", "0:125", -125),
        ("TIMEOUT", "0:0", None),
        ("FAILED", "what", None),
    ],
)
def test_exit_codes_are_numbers(state: str, code: str, expected: int | None) -> None:
    found = PLAIN.read_look_up(said(f"1|{state}|{code}|c\n"))
    assert isinstance(found, dict)
    assert found[JobId("1")].status.exit_code == expected


@pytest.mark.parametrize("word", STATES)
def test_each_state_is_known_by_its_word_and_its_letters(word: str) -> None:
    [letters] = [letters for letters, long in LETTERS.items() if long == word]
    by_word, by_letters = listed(f"1|{word}|None|x\n"), listed(f"1|{letters}|None|x\n")
    assert by_word == by_letters
    assert by_word[JobId("1")].state is STATES[word]
    ended = STATES[word].terminal and word != "COMPLETED"
    assert (word in ENDS) == ended


def test_a_state_that_nobody_knows_is_unknown() -> None:
    assert listed("1|LEVITATING|None|x\n")[JobId("1")] == JobStatus(
        state=JobState.UNKNOWN, reason="Slurm says 'LEVITATING'"
    )


def test_a_reason_that_nobody_knows_is_quoted() -> None:
    assert listed("1|PENDING|AssocGrpCpuLimit|x\n")[JobId("1")].reason == (
        "Slurm says 'AssocGrpCpuLimit'"
    )


@pytest.mark.parametrize("text", ["lost in thought\n", "x|RUNNING|None|x\n", "1|RUNNING\n"])
def test_nonsense_is_no_answer(text: str) -> None:
    assert isinstance(PLAIN.read_list(said(text)), NoAnswer)
    assert isinstance(PLAIN.read_look_up(said(text)), NoAnswer)


def test_a_failure_is_no_answer() -> None:
    # Real.
    gone = said(stderr="slurm_load_jobs error: Unable to contact slurm controller\n", status=1)
    assert PLAIN.read_list(gone) == NoAnswer(gone.stderr.strip())
    assert PLAIN.read_list(said(status=2)) == NoAnswer("squeue: exit status 2")
    assert PLAIN.read_look_up(said(status=2)) == NoAnswer("sacct: exit status 2")
    # Real.
    none = said(stderr="Slurm accounting storage is disabled\n", status=1)
    assert PLAIN.read_look_up(none) == NotKept("Slurm accounting storage is disabled")


@pytest.mark.parametrize(
    "text, job", [("12\n", "12"), ("12;east\n", "12;east"), ("Welcome!\n\n12\n", "12")]
)
def test_a_submission_is_answered_by_an_id(text: str, job: str) -> None:
    assert PLAIN.read_submit(said(text)) == Accepted(JobId(job))
    assert "--parsable" in PLAIN.submit("script", Path("/x")).command


def test_an_answer_without_an_id_leaves_it_open() -> None:
    answer = PLAIN.read_submit(said("Thank you\n"))
    assert isinstance(answer, NoAnswer)
    assert answer.perhaps_taken


def test_a_site_may_print_something_else() -> None:
    site = SlurmDialect(regex_job_id=r"Submitted (?P<id>\d+)")
    assert "--parsable" not in site.submit("script", Path("/x")).command
    assert site.read_submit(said("Submitted 12 to you\n")) == Accepted(JobId("12"))
    assert isinstance(site.read_submit(said("12\n")), NoAnswer)


# Real, but for the last two, which are in Slurm's sources.
REFUSED = """\
sbatch: error: invalid partition specified: nowhere
sbatch: error: Batch job submission failed: Invalid partition name specified"""
AWAY = """\
sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"""
LATE = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
TORN = "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received"


def test_no_is_told_from_not_now_and_from_perhaps() -> None:
    assert PLAIN.read_submit(said(stderr=REFUSED, status=1)) == Refused(REFUSED)
    full = "sbatch: error: QOSMaxSubmitJobPerUserLimit"
    assert PLAIN.read_submit(said(stderr=full, status=1)) == Deferred(full)
    assert PLAIN.read_submit(said(stderr=AWAY, status=1)) == NoAnswer(AWAY)
    for text in (LATE, TORN):
        assert PLAIN.read_submit(said(stderr=text, status=1)) == NoAnswer(text, True)


def test_jobs_of_other_clusters_are_called_as_sbatch_calls_them() -> None:
    both = SlurmDialect(clusters="east,west")
    command = both.list_jobs([]).command
    assert command[-1] == "--clusters=east,west"
    text = "CLUSTER: east\n7|RUNNING|None|a\n\nCLUSTER: west\n7|PENDING|None|b\n"
    found = listed(text, both)
    assert found[JobId("7;east")].state is JobState.RUNNING
    assert found[JobId("7;west")].state is JobState.PENDING
    assert len(found) == 2
    one = SlurmDialect(clusters="east")
    assert listed("7|RUNNING|None|a\n", one).keys() == {"7", "7;east"}
    [look_up] = both.look_up([JobId("7;east"), JobId("7;west"), JobId("8;west")])
    assert look_up.command[-3:] == ("-j", "7,8", "--clusters=east,west")
    accounts = both.read_look_up(said("7|COMPLETED|0:0|east\n"))
    assert isinstance(accounts, dict)
    assert accounts.keys() == {"7;east"}
    commands = [one.command for one in both.cancel([JobId("7;east"), JobId("8;west"), JobId("9")])]
    assert commands == [
        ("scancel", "--clusters=east", "7"),
        ("scancel", "--clusters=west", "8"),
        ("scancel", "9"),
    ]


def test_an_end_that_came_first_is_no_failure_to_cancel() -> None:
    assert PLAIN.read_cancel(said()) is None
    gone = "scancel: error: Kill job error on job id 7: Invalid job id specified"
    assert PLAIN.read_cancel(said(stderr=gone, status=1)) is None
    both = f"{gone}\nscancel: error: Kill job error on job id 8: Unable to contact controller"
    assert PLAIN.read_cancel(said(stderr=both, status=1)) == NoAnswer(both)
    assert PLAIN.read_cancel(said(stderr="Unable to contact", status=1)) == NoAnswer(
        "Unable to contact"
    )
    assert PLAIN.read_cancel(said(status=1)) == NoAnswer("scancel: exit status 1")


def test_options_become_directives() -> None:
    lines = slurm_directives(
        partition="debug",
        account="a b",
        qos=None,
        constraint="knl&quad",
        clusters=None,
        gres="gpu:1",
        exclusive=True,
        walltime=90.0,
        cores_per_node=4,
        mem_per_node=2**30 + 1,
        gpus_per_node=2,
    )
    assert lines == (
        "#SBATCH --time=00:01:30",
        "#SBATCH --partition=debug",
        '#SBATCH --account="a b"',
        '#SBATCH --constraint="knl&quad"',
        "#SBATCH --gres=gpu:1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=1025M",
        "#SBATCH --gpus-per-node=2",
        "#SBATCH --exclusive",
    )


def test_variables_of_a_job_around_the_program_are_not_handed_down() -> None:
    command = PLAIN.submit("script", Path("/x")).command
    assert command[0] == "env"
    assert "--unset=SLURM_MEM_PER_CPU" in command
    assert PLAIN.submit("script", Path("/x")).stdin == "script"


def test_names_are_what_a_list_shows_in_full() -> None:
    assert PLAIN.job_name("lamina.my htex.block-0", "abcd") == "lamina.my-htex.block-0.abcd"
    assert PLAIN.kinship != SlurmDialect(clusters="east").kinship
    assert (PLAIN.name, SlurmDialect(clusters="east").name) == ("Slurm", "Slurm (east)")
