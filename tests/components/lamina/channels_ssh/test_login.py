import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from lamina.channels_ssh import AuthenticationFailed, ConnectionFailed
from lamina.channels_ssh.login import asks_for_the_password
from tests.components.lamina.channels_ssh.server import PATIENCE, Server


def works(channel: object) -> bool:
    return channel.run(["echo", "in"], timeout=PATIENCE).stdout == "in\n"  # type: ignore[attr-defined, no-any-return]


def asked(server: Server, **options: object) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        server.channel(**options).run(["true"], timeout=PATIENCE)
    return str(caught.value)


def test_a_key_lets_in(server: Server) -> None:
    assert works(server.channel())
    assert server.attempts[-1:] == ["publickey"]


def test_a_host_that_asks_for_nothing_lets_in(server: Server) -> None:
    server.steps = []
    assert works(server.channel())


def test_a_password_lets_in(server: Server) -> None:
    server.steps = ["password"]
    assert works(server.channel(password="correct horse"))


def test_a_password_that_nobody_gave_is_asked_for(server: Server) -> None:
    server.steps = ["password"]
    questions: list[str] = []

    def prompt(question: str) -> str:
        questions.append(question)
        return "correct horse"

    assert works(server.channel(prompt=prompt))
    assert questions == ["Password for somebody@127.0.0.1: "]


def test_a_wrong_password_is_said_once(server: Server) -> None:
    server.steps = ["password"]
    said = asked(server, password="wrong")
    assert server.attempts == ["password"]
    assert "let nobody in as somebody" in said
    assert "It wants password" in said


def test_the_password_answers_only_the_question_for_it(server: Server) -> None:
    server.steps = ["keyboard-interactive"]
    server.questions = [
        ("Password: ", "correct horse"),
        ("One-time password (OATH) for `somebody': ", "123456"),
    ]
    server.instructions = "Two steps."
    questions: list[str] = []

    def prompt(question: str) -> str:
        questions.append(question)
        return "123456"

    assert works(server.channel(password="correct horse", prompt=prompt))
    assert questions == ["Two steps.\nOne-time password (OATH) for `somebody': "]


def test_a_question_that_nobody_can_answer_is_told(server: Server) -> None:
    server.steps = ["keyboard-interactive"]
    server.questions = [("Code: ", "123456")]
    assert "it asked 'Code:', and there is no prompt" in asked(server, password="x")


def test_a_prompt_that_fails_is_told(server: Server) -> None:
    server.steps = ["keyboard-interactive"]

    def prompt(question: str) -> str:
        raise RuntimeError("no terminal")

    assert "prompt raised RuntimeError: no terminal" in asked(server, prompt=prompt)


def test_without_anything_to_answer_with_nobody_is_asked(server: Server) -> None:
    server.steps = ["keyboard-interactive"]
    assert "neither password nor prompt" in asked(server)
    assert server.attempts == []


def test_a_key_and_then_an_answer_are_both_given(server: Server) -> None:
    server.steps, server.all_steps = ["publickey", "keyboard-interactive"], True
    server.questions = [("Code: ", "123456")]
    assert works(server.channel(prompt=lambda question: "123456"))
    assert server.attempts == ["publickey", "keyboard-interactive"]


def test_a_locked_key_opens_with_its_passphrase_given_or_asked_for(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "locked"
    server.user_key.write_private_key_file(str(file), password="open sesame")
    assert works(server.channel(key_filename=str(file), passphrase="open sesame"))
    assert works(server.channel(key_filename=str(file), prompt=lambda question: "open sesame"))
    assert "it needs a passphrase" in asked(server, key_filename=str(file))
    assert str(file) in asked(server, key_filename=str(file), passphrase="wrong")


def test_each_key_that_was_refused_is_named_and_not_too_many_are_tried(
    server: Server, tmp_path: Path
) -> None:
    files = []
    for number in range(7):
        files.append(str(tmp_path / f"key{number}"))
        paramiko.ECDSAKey.generate().write_private_key_file(files[-1])
    said = asked(server, key_filename=files)
    assert server.attempts == ["publickey"] * 5
    assert files[4] in said
    assert "further keys: not tried" in said


def test_a_connection_that_breaks_during_the_login_is_not_a_refusal(server: Server) -> None:
    server.hangs_up_at = 1
    channel = server.channel()
    with pytest.raises(ConnectionFailed, match="broke while logging in"):
        channel.run(["true"], timeout=PATIENCE)
    assert works(channel)


def test_a_host_that_hangs_up_after_failures_is_one(server: Server, tmp_path: Path) -> None:
    server.hangs_up_at = 2
    files = []
    for number in range(3):
        files.append(str(tmp_path / f"key{number}"))
        paramiko.ECDSAKey.generate().write_private_key_file(files[-1])
    assert files[1] in asked(server, key_filename=files)
    assert server.attempts == ["publickey"] * 2


def test_a_file_that_holds_no_key_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("not a key")
    assert str(tmp_path / "none") in asked(server, key_filename=str(tmp_path / "none"))


@pytest.fixture
def agent(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(server.home / "agent")], stdout=subprocess.DEVNULL
    ) as process:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(server.home / "agent"))
        command = ["ssh-add", "-q", str(server.key_file)]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            assert process.poll() is None
        yield
        process.terminate()


@pytest.mark.usefixtures("agent")
def test_a_key_of_the_agent_lets_in(server: Server) -> None:
    empty = server.home / "config"
    empty.write_text(f"Host *\n  IdentityFile {server.home}/none\n")
    assert works(server.channel(key_filename=None, allow_agent=True, config_file=str(empty)))


@pytest.mark.usefixtures("agent")
def test_where_only_named_keys_may_be_tried_the_agent_has_those(server: Server) -> None:
    other = server.home / "other"
    other.with_suffix(".pub").write_text("ecdsa-sha2-nistp256 AAAA\n")
    assert "nothing to try" in asked(server, key_filename=str(other), allow_agent=True)
    named = server.home / "named"
    key = server.user_key
    named.with_suffix(".pub").write_text(f"{key.get_name()} {key.get_base64()}\n")
    assert works(server.channel(key_filename=str(named), allow_agent=True))


def test_an_agent_that_is_gone_harms_nobody(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", os.devnull)
    assert works(server.channel(allow_agent=True))


@pytest.mark.parametrize(
    "question, yes",
    [
        ("Password: ", True),
        ("password:", True),
        ("(alice@login) Password: ", True),
        ("alice@login's password: ", True),
        ("Password for alice@login:", True),
        ("One-time password (OATH) for `alice': ", False),
        ("Password or token: ", False),
        ("New password: ", False),
        ("Verification code: ", False),
        ("", False),
    ],
)
def test_which_question_is_for_the_password(question: str, yes: bool) -> None:
    assert asks_for_the_password(question) is yes
