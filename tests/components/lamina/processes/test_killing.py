import subprocess

from lamina.processes import alive, descendants, kill_session, kill_tree

DEEP = "setsid sleep 100 & (trap '' TERM; sleep 100) & echo ready; wait"


def start() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        ["bash", "-c", DEEP], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def test_a_tree_is_killed_to_the_last_leaf() -> None:
    process = start()
    below = descendants(process.pid)
    assert below
    assert kill_tree([process.pid])
    assert not any(map(alive, [process.pid, *below]))
    process.wait()


def test_what_is_spared_lives_with_all_below_it() -> None:
    doomed, spared = start(), start()
    assert kill_tree([doomed.pid, spared.pid], spare=[spared.pid])
    assert not alive(doomed.pid)
    assert alive(spared.pid)
    assert descendants(spared.pid)
    assert kill_tree([spared.pid])
    doomed.wait()
    spared.wait()


def test_a_session_is_killed_and_nothing_else() -> None:
    process, other = start(), start()
    below = descendants(process.pid)
    assert kill_session(process.pid)
    assert not alive(process.pid)
    assert alive(other.pid)
    assert kill_tree([other.pid, *below])
    process.wait()
    other.wait()


def test_what_is_not_known_to_have_ended_in_time_is_told() -> None:
    process = start()
    assert not kill_tree([process.pid], deadline=0.0)
    assert kill_tree([process.pid])
    process.wait()


def test_nothing_to_kill_is_no_error() -> None:
    assert kill_tree([])
    assert kill_session(0)
