"""What can go wrong before a command runs, told apart by what helps.

::

    ChannelError
     ├── ConnectionFailed        the host was not reached, or the connection broke; again may help
     ├── AuthenticationFailed    it was reached and let nobody in; again will not help
     └── HostKeyRefused          nobody knows whether it is the right host
          └── UnknownHostKey     no key of it is known here
"""

from lamina.channels import ChannelError

__all__ = ["AuthenticationFailed", "ConnectionFailed", "HostKeyRefused", "UnknownHostKey"]


class ConnectionFailed(ChannelError):
    """The host was not reached, or the connection to it broke. Again may help."""


class AuthenticationFailed(ChannelError):
    """The host let nobody in. Asking again in the same way will not help."""


class HostKeyRefused(ChannelError):
    """The host showed a key that is not its own as far as it is known here."""

    def __init__(self, host: str, fingerprint: str, why: str) -> None:
        super().__init__(f"connecting to {host}", why)
        self.args = (host, fingerprint, why)
        self.host, self.fingerprint = host, fingerprint


class UnknownHostKey(HostKeyRefused):
    """No key of this host is known here. The text says how to make one known."""

    def __init__(self, host: str, fingerprint: str, file: str, line: str) -> None:
        why = (
            f"no key of it is known here, and it shows one with the fingerprint {fingerprint}. "
            "Ask its operators, or their web pages, whether that is theirs; if so, add this line "
            f"to {file}: {line}"
        )
        super().__init__(host, fingerprint, why)
        self.args = (host, fingerprint, file, line)
        self.file, self.line = file, line
