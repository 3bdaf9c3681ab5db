"""Which executor gets a task."""

from lamina.routing.builtin import BUILTIN
from lamina.routing.protocol import Candidate, Router
from lamina.routing.routers import LeastLoaded, RoundRobin

__all__ = ["BUILTIN", "Candidate", "LeastLoaded", "RoundRobin", "Router"]
