"""``lamina memo``: what is remembered, why something was not, and what may go."""

from lamina.memo_commands.commands import add_memo_commands, run_memo_command

__all__ = ["add_memo_commands", "run_memo_command"]
