from pathlib import Path

from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.rehearsal import rehearse
from lamina.providers import LocalProvider
from lamina.providers_batch import CondorProvider, GridEngineProvider, SlurmProvider
from tests.fakes.channels import FarChannel


def test_nothing_is_asked_of_the_channel(tmp_path: Path) -> None:
    far = FarChannel(tmp_path)
    rehearsed = rehearse(HighThroughputExecutor("it", GridEngineProvider(channel=far)).settings)
    assert rehearsed.command.startswith("qsub ")
    assert (far.asked, far.forwarded, list(tmp_path.iterdir())) == ([], [], [])


def test_the_script_is_shown_where_something_else_is_read_from_stdin() -> None:
    rehearsed = rehearse(HighThroughputExecutor("it", CondorProvider()).settings)
    assert rehearsed.command == "condor_submit -terse"
    assert rehearsed.script.startswith("#!/bin/bash\n#CONDOR universe = vanilla\n")
    assert "htex_worker_pool RUN_DIR/manager.json" in rehearsed.script


def test_a_provider_that_runs_its_script_by_itself_shows_it() -> None:
    rehearsed = rehearse(HighThroughputExecutor("it", LocalProvider()).settings)
    assert rehearsed.command == ""
    assert "RUN_DIR/blocks/lamina.it.block-0.ec" in rehearsed.script


def test_two_rehearsals_differ_in_the_token_of_the_name_alone() -> None:
    first, second = (
        rehearse(HighThroughputExecutor("it", SlurmProvider()).settings).script for _ in range(2)
    )
    name = first.partition("--job-name=")[2].split()[0]
    other = second.partition("--job-name=")[2].split()[0]
    assert first.replace(name, other) == second
