"""The commands around an endpoint, which more than one command line offers."""

from lamina.hosting_commands.commands import COMMANDS, Said, add_commands, run_command
from lamina.hosting_commands.exits import exit_status
from lamina.hosting_commands.siblings import refuse_siblings
from lamina.hosting_commands.tables import table

__all__ = [
    "COMMANDS",
    "Said",
    "add_commands",
    "exit_status",
    "refuse_siblings",
    "run_command",
    "table",
]
