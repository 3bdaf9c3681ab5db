"""Processes as Linux sees them: who is below whom, who dies with whom, how all of it is ended."""

from lamina.processes.facts import alive, boot_id, descendants, start_time, tail
from lamina.processes.identity import Identity, gone, has_ended, own_identity, watch
from lamina.processes.killing import kill_session, kill_tree
from lamina.processes.ties import become_subreaper, die_with_parent

__all__ = [
    "Identity",
    "alive",
    "become_subreaper",
    "boot_id",
    "descendants",
    "die_with_parent",
    "gone",
    "has_ended",
    "kill_session",
    "kill_tree",
    "own_identity",
    "start_time",
    "tail",
    "watch",
]
