"""Being let in: keys, the agent, a password, questions and answers, in what order a host wants.

A host may want several of them one after the other. Each step is a way that it still names and
that has not been tried; a password is said once, however often it is asked for.
"""

import base64
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import paramiko

from lamina.channels_ssh.errors import AuthenticationFailed
from lamina.channels_ssh.targets import Target

__all__ = ["Credentials", "Prompt", "asks_for_the_password", "log_in"]

Prompt: TypeAlias = Callable[[str], str]
"""Is given a question, and returns the answer; ``getpass.getpass`` is one."""

_KEY_KINDS: tuple[type[paramiko.PKey], ...] = (
    paramiko.Ed25519Key,
    paramiko.ECDSAKey,
    paramiko.RSAKey,
)
_PASSWORD = re.compile(r"(\(.*\) ?)?(\S+'s )?password( for \S+)?: *", re.IGNORECASE)
_BROKE = "the connection broke while logging in"
_MOST_KEYS = 5  # a host closes the connection after six failures, and one is left for others


class Credentials(NamedTuple):
    """What may be shown to a host."""

    password: str | None
    passphrase: str | None
    prompt: Prompt | None
    agent: bool


def asks_for_the_password(question: str) -> bool:
    """Whether it is the account's password, and not a code, that is asked for."""
    return _PASSWORD.fullmatch(question.strip(" \t\r\n") + " ") is not None


def log_in(transport: paramiko.Transport, target: Target, shown: Credentials) -> None:
    """Log in to the host at the other end.

    Raises:
        AuthenticationFailed: It lets nobody in; the text says what was tried.
        SSHException: The connection broke.
    """
    login = _Login(transport, target, shown)
    try:
        login.run()
    finally:
        login.close()


class _Login:
    def __init__(self, transport: paramiko.Transport, target: Target, shown: Credentials) -> None:
        self._transport, self._target, self._shown = transport, target, shown
        self._password = shown.password
        self._told: list[str] = []
        self._unanswered = ""
        self._agent: paramiko.Agent | None = None

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()

    def run(self) -> None:
        transport, user = self._transport, self._target.user
        try:
            transport.auth_none(user)
        except paramiko.BadAuthenticationType as error:
            wanted: Collection[str] = error.allowed_types
        except paramiko.AuthenticationException as error:
            if not transport.is_active():
                raise paramiko.SSHException(_BROKE) from error
            wanted = ("publickey", "keyboard-interactive", "password")
        else:
            return
        while not transport.is_authenticated():
            further = self._step(wanted)
            if further is None:
                raise self._failure(wanted)
            wanted = further

    def _step(self, wanted: Collection[str]) -> Collection[str] | None:
        """Pass one step: what is wanted next; None where nothing that we have helps."""
        if "publickey" in wanted and (passed := self._by_key()) is not None:
            return passed
        if "keyboard-interactive" in wanted and (passed := self._by_answers()) is not None:
            return passed
        if "password" in wanted and (passed := self._by_password()) is not None:
            return passed
        return None

    def _try(self, what: str, attempt: Callable[[], Sequence[str]]) -> Sequence[str] | None:
        try:
            return attempt()
        except paramiko.AuthenticationException as error:
            self._told.append(f"{what}: {'; '.join(filter(None, (str(error), self._unanswered)))}")
            if not self._transport.is_active():
                # A host hangs up on who has failed often; else it was the connection that broke.
                if len(self._told) > 1:
                    raise self._failure(()) from error
                raise paramiko.SSHException(_BROKE) from error
            return None

    def _by_key(self) -> Sequence[str] | None:
        user = self._target.user
        for count, (name, key) in enumerate(self._keys()):
            if count == _MOST_KEYS:
                self._told.append("further keys: not tried; name the right one in key_filename")
                break
            passed = self._try(
                name,
                lambda key=key: self._transport.auth_publickey(user, key),  # type: ignore[misc]
            )
            if passed is not None:
                return passed
        return None

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        files = [path for path in self._target.keys if path.is_file()]
        of_agent = list(self._of_agent()) if self._shown.agent else []
        named = {blob for path in self._target.keys if (blob := _public(path)) is not None}
        # First those of the agent that are named, then the files, then its others.
        yield from (("a key of the agent", key) for key in of_agent if key.asbytes() in named)
        seen = {key.asbytes() for key in of_agent} & named
        for path in files:
            key = self._from_file(path)
            if key is not None and key.asbytes() not in seen:
                yield str(path), key
        if not self._target.only_these_keys:
            for key in of_agent:
                if key.asbytes() not in named:
                    yield "a key of the agent", key

    def _of_agent(self) -> Sequence[paramiko.PKey]:
        try:
            if not stat.S_ISSOCK(os.stat(os.environ["SSH_AUTH_SOCK"]).st_mode):
                return ()
            self._agent = self._agent or paramiko.Agent()
            return self._agent.get_keys()
        except KeyError:
            return ()  # there is none
        except (paramiko.SSHException, OSError) as error:
            self._told.append(f"the agent: {error}")
            return ()

    def _from_file(self, path: Path) -> paramiko.PKey | None:
        try:
            try:
                return _read_key(path, self._shown.passphrase)
            except paramiko.PasswordRequiredException:
                if self._shown.prompt is None:
                    self._told.append(f"{path}: it needs a passphrase; give passphrase or prompt")
                    return None
                return _read_key(path, self._ask(f"Passphrase for {path}: "))
        except (paramiko.SSHException, OSError, ValueError) as error:
            self._told.append(f"{path}: {error}")
            return None

    def _by_answers(self) -> Sequence[str] | None:
        if self._password is None and self._shown.prompt is None:
            self._told.append("keyboard-interactive: there is neither password nor prompt")
            return None
        user = self._target.user
        return self._try(
            "keyboard-interactive",
            lambda: self._transport.auth_interactive(user, self._answer),
        )

    def _answer(self, title: str, text: str, questions: list[tuple[str, bool]]) -> list[str]:
        return [self._answer_one(question, text or title) for question, _ in questions]

    def _answer_one(self, question: str, text: str) -> str:
        if self._password is not None and asks_for_the_password(question):
            password, self._password = self._password, None
            return password
        if self._shown.prompt is None:
            self._unanswered = f"it asked {question.strip()!r}, and there is no prompt to answer it"
            return ""
        return self._ask(f"{text}\n{question}" if text else question)

    def _ask(self, question: str) -> str:
        """Ask the user. This runs on paramiko's thread, which must outlive the user's code."""
        assert self._shown.prompt is not None
        try:
            return self._shown.prompt(question)
        except Exception as error:  # whatever the user's function does
            self._unanswered = f"prompt raised {type(error).__name__}: {error}"
            return ""

    def _by_password(self) -> Sequence[str] | None:
        password, self._password = self._password, None
        if password is None and self._shown.prompt is not None:
            password = self._ask(f"Password for {self._target.user}@{self._target.host}: ")
        if password is None:
            self._told.append("password: there is none, or it was refused already")
            return None
        said = password
        return self._try(
            "password",
            lambda: self._transport.auth_password(self._target.user, said, fallback=False),
        )

    def _failure(self, wanted: Collection[str]) -> AuthenticationFailed:
        told = "; ".join(self._told) or "there was nothing to try"
        wants = f" It wants {' or '.join(wanted)}." if wanted else ""
        why = f"it let nobody in as {self._target.user}.{wants} Tried: {told}"
        return AuthenticationFailed(f"logging in to {self._target}", why)


def _read_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    trouble: Exception | None = None
    for kind in _KEY_KINDS:
        try:
            key = kind.from_private_key_file(str(path), passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except (paramiko.SSHException, ValueError) as error:
            trouble = error
        else:
            certificate = path.with_name(f"{path.name}-cert.pub")
            if certificate.is_file():
                key.load_certificate(str(certificate))
            return key
    assert trouble is not None
    raise trouble


def _public(path: Path) -> bytes | None:
    """The public part of a key, where it lies beside it."""
    try:
        words = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8").split()
        return base64.b64decode(words[1])
    except (OSError, ValueError, IndexError):
        return None
