import pickle

import pytest

from lamina.channels import ChannelError
from lamina.channels_ssh import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyRefused,
    UnknownHostKey,
)

ERRORS = [
    ConnectionFailed("connecting to x", "refused"),
    AuthenticationFailed("logging in to x", "no"),
    HostKeyRefused("x", "SHA256:abc", "it was revoked"),
    UnknownHostKey("x", "SHA256:abc", "/home/u/.ssh/known_hosts", "x ssh-ed25519 AAAA"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_are_those_of_channels_and_survive_pickle(error: ChannelError) -> None:
    assert isinstance(error, ChannelError)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_an_unknown_host_is_told_with_its_fingerprint_and_how_to_accept_it() -> None:
    said = str(ERRORS[3])
    assert "SHA256:abc" in said
    assert "add this line to /home/u/.ssh/known_hosts: x ssh-ed25519 AAAA" in said
