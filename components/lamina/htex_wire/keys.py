"""The keys of a run: two pairs, in files for the user alone."""

import os
from pathlib import Path

import zmq

from lamina.vocabulary import LaminaError

__all__ = ["Keys", "WireError", "make_keys", "read_keys"]


class WireError(LaminaError):
    """A socket could not be opened, or would not have been safe."""


class Keys:
    """The key pair of one side, and the public key of the other."""

    def __init__(self, public: bytes, secret: bytes, other: bytes) -> None:
        self.public, self.secret, self.other = public, secret, other

    def __repr__(self) -> str:
        return "Keys(...)"  # a key has no business in a log


def make_keys(directory: Path) -> None:
    """Write the key pairs of a run, each file for the user alone; existing ones stay.

    Raises:
        WireError: The directory belongs to somebody else.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _must_be_ours(directory)
    directory.chmod(0o700)
    for side in ("interchange", "manager"):
        if (directory / side).exists():
            continue
        public, secret = zmq.curve_keypair()
        for name, key in ((f"{side}.public", public), (side, secret)):
            handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key)


def read_keys(directory: Path, side: str) -> Keys:
    """Read what one side needs: ``"interchange"`` or ``"manager"``.

    Raises:
        WireError: The directory is somebody else's, or others than the user may use it.
    """
    _must_be_ours(directory)
    if directory.stat().st_mode & 0o077:
        msg = f"{directory} holds keys and others may read it; chmod 700 it"
        raise WireError(msg)
    other = "manager" if side == "interchange" else "interchange"
    return Keys(
        (directory / f"{side}.public").read_bytes(),
        (directory / side).read_bytes(),
        (directory / f"{other}.public").read_bytes(),
    )


def _must_be_ours(directory: Path) -> None:
    found = directory.lstat()
    if directory.is_symlink() or found.st_uid != os.geteuid():
        msg = f"{directory} is to hold keys and belongs to user {found.st_uid}; remove it"
        raise WireError(msg)
