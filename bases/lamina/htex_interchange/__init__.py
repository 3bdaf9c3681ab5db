"""The door of the interchange, a process beside the program."""

from lamina.htex_interchange.process import run

__all__ = ["run"]
