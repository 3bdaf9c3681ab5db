"""The command lines of rsync, and what its exit status means."""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from lamina.vocabulary import File, StagingFailed

__all__ = ["MEANINGS", "PASSING", "command", "remote_name", "version_in"]

MEANINGS = {
    1: "it does not understand the command",
    2: "the other side speaks another protocol",
    3: "it could not select the files",
    5: "the daemon refused: no such module, or no right to it",
    10: "the connection failed or broke",
    11: "a file could not be read or written",
    12: "the connection broke",
    20: "it was told to end",
    23: "not all could be transferred: no such file, or no right to it",
    24: "a file vanished on the way",
    30: "the other side fell silent",
    35: "the daemon did not answer",
    127: "there is no rsync on the other side",
    255: "the remote shell failed: the host was not reached, or lets nobody in",
}
# After which another attempt may do better.
PASSING = frozenset({10, 12, 20, 24, 30, 35, 255})


def remote_name(file: File, shell: str | None) -> str:
    """What rsync calls a file: a URL of a daemon, or ``user@host:/path`` by a remote shell.

    Raises:
        StagingFailed: The URL lacks a host or a path, or would be taken for an option.
    """
    parts = urlsplit(file.url)
    user, host, path = unquote(parts.username or ""), parts.hostname or "", unquote(parts.path)
    if not host or path in ("", "/") or host.startswith("-") or user.startswith("-"):
        reason = "write it as rsync://[user@]host[:port]/module/path"
        raise StagingFailed(reason, url=file.url, again=False)
    who = f"{user}@{host}" if user else host
    if shell is not None:
        return f"{who}:{path}"
    _, _, number = parts.netloc.rpartition("@")[2].partition(":")
    port = f":{number}" if number.isdecimal() else ""
    return f"rsync://{who}{port}{path}"


def command(
    program: str,
    source: str,
    target: str,
    *,
    shell: str | None,
    timeout: float,
    tree: bool,
    partial: bool = False,
) -> Sequence[str]:
    """Have a file, or all below a directory, at ``target``. No shell reads any of it.

    With ``partial`` what has come of a file stays under its name when it breaks off.
    """
    words = [program, "--times", "--secluded-args", f"--timeout={timeout:.0f}"]
    if partial:
        words.append("--partial")
    if shell is None:
        words.append(f"--contimeout={timeout:.0f}")
    if tree:
        words += ["--recursive", "--links", "--safe-links", "--perms"]
    if shell is not None:
        words += ["--rsh", shell]
    return [*words, "--", source, target]


def version_in(listing: str) -> str | None:
    """The size and the time in the one line that ``--list-only`` prints of a file."""
    lines = listing.splitlines()
    facts = lines[-1].split() if lines else []
    return " ".join(facts[1:4]) if len(facts) > 4 else None
