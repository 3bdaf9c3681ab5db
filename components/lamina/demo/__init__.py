"""The main job of the house: a real dataflow over the source that every machine has."""

from lamina.demo.job import Options, run_demo

__all__ = ["Options", "run_demo"]
