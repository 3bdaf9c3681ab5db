"""A codec that a worker does not survive: what a broken installation does to each new process."""

import os

from lamina.codec import PickleCodec

__all__ = ["CrashingCodec"]


class CrashingCodec(PickleCodec):
    """Whoever is forked after this was made dies at once."""

    def __init__(self) -> None:
        if os.environ.get("LAMINA_BLOCK"):  # below a manager, not in the program
            os.register_at_fork(after_in_child=os.abort)
