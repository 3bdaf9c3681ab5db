import sys

import pytest

from lamina.channels import ChannelError, LocalChannel
from lamina.providers.adhoc_host import Host
from tests.fakes.channels import ScriptedChannel, said


def test_a_host_whose_answers_make_no_sense_is_an_error_that_shows_them() -> None:
    host = Host(0, ScriptedChannel(bash=said("Welcome!")), timeout=1.0)
    with pytest.raises(ChannelError, match="it has printed 'Welcome!'"):
        host.look(["/tmp/x"])


def test_a_command_that_fails_is_an_error_that_says_where() -> None:
    channel = ScriptedChannel(bash=said(stderr="no more processes", status=1))
    with pytest.raises(ChannelError, match=r"bash on host 3, .*: no more processes"):
        Host(3, channel, timeout=1.0).cancel(["/tmp/x"])


def test_the_python_of_this_host_is_the_one_here() -> None:
    assert Host(0, LocalChannel(), timeout=1.0).python == sys.executable
