"""The main job of the house: a real dataflow over the source that every machine has."""

from lamina.demo.job import Options, run_demo
from lamina.demo.store import ResultsInDirectory

__all__ = ["Options", "ResultsInDirectory", "run_demo"]
