"""The door of the manager, the process that a block starts on each of its nodes."""

from lamina.htex_worker_pool.process import run

__all__ = ["run"]
