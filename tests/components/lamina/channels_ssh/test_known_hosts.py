import base64
import subprocess
from pathlib import Path

import pytest

from lamina.channels_ssh.known_hosts import (
    KnownKey,
    Verdict,
    fingerprint,
    judge,
    known_keys,
    known_name,
    line_for,
)

BLOB = b"the key"
KEY = base64.b64encode(BLOB).decode()


def test_a_port_other_than_22_belongs_to_the_name() -> None:
    assert known_name("h", 22) == "h"
    assert known_name("h", 2200) == "[h]:2200"


@pytest.mark.parametrize(
    "names, name, found",
    [
        ("h", "h", True),
        ("h", "H", True),
        ("H", "h", True),
        ("a,h,b", "h", True),
        ("*.site", "h.site", True),
        ("h?", "h1", True),
        ("*,!h", "h", False),
        ("!h", "g", False),
        ("h", "g", False),
        ("[h]:2200", "[h]:2200", True),
        ("[h]:22*", "[h]:2200", True),
        ("[h]:2200", "h", False),
        ("h]", "h", False),
    ],
)
def test_names_are_patterns(names: str, name: str, found: bool) -> None:
    assert bool(known_keys([f"{names} ssh-ed25519 {KEY} a comment"], name)) is found


def test_names_that_ssh_keygen_has_hashed_are_found(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[h.site]:2200 ssh-ed25519 {_real_key(tmp_path)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    lines = file.read_text().splitlines()
    assert lines[0].startswith("|1|")
    assert len(known_keys(lines, "[h.site]:2200")) == 1
    assert known_keys(lines, "h.site") == []


def _real_key(folder: Path) -> str:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
    subprocess.run(command, check=True)
    return (folder / "key.pub").read_text().split()[1]


def test_a_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    key = _real_key(tmp_path)
    command = ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert fingerprint(base64.b64decode(key)) == said.split()[1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# h ssh-ed25519 " + KEY,
        "h ssh-ed25519",
        "h ssh-ed25519 not*base64",
        "|1|not-base64!|x= ssh-ed25519 " + KEY,
        "@cert-authority h ssh-ed25519 " + KEY,
        "@unheard-of h ssh-ed25519 " + KEY,
        "@revoked",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert known_keys([line, f"h ssh-rsa {KEY}"], "h") == [KnownKey("ssh-rsa", BLOB, False)]


@pytest.mark.parametrize(
    "keys, verdict",
    [
        ([], Verdict.UNKNOWN),
        ([KnownKey("a", BLOB, False)], Verdict.KNOWN),
        ([KnownKey("b", BLOB, False)], Verdict.OTHER),
        ([KnownKey("a", b"other", False)], Verdict.OTHER),
        ([KnownKey("a", b"other", False), KnownKey("a", BLOB, False)], Verdict.KNOWN),
        ([KnownKey("a", BLOB, False), KnownKey("a", BLOB, True)], Verdict.REVOKED),
        ([KnownKey("a", b"other", True)], Verdict.UNKNOWN),
    ],
)
def test_what_is_known_of_a_key(keys: list[KnownKey], verdict: Verdict) -> None:
    assert judge(keys, "a", BLOB) is verdict


def test_the_line_that_makes_a_key_known_does() -> None:
    keys = known_keys([line_for("[h]:2200", "ssh-ed25519", BLOB)], "[h]:2200")
    assert judge(keys, "ssh-ed25519", BLOB) is Verdict.KNOWN


def test_a_marker_of_revocation_is_read() -> None:
    assert known_keys([f"@revoked h ssh-ed25519 {KEY}"], "h")[0].revoked
