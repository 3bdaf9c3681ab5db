"""Blocks that are jobs of a batch system: one engine, and a dialect for each scheduler."""

from lamina.providers_batch.condor import CondorProvider
from lamina.providers_batch.dialect import BatchJob, Dialect
from lamina.providers_batch.flux import FluxProvider
from lamina.providers_batch.gridengine import GridEngineProvider
from lamina.providers_batch.lsf import LSFProvider
from lamina.providers_batch.pbs import PBSProProvider, TorqueProvider
from lamina.providers_batch.slurm import SlurmProvider
from lamina.providers_batch.survey import Surveyed, survey_accounting, survey_programs

__all__ = [
    "BatchJob",
    "CondorProvider",
    "Dialect",
    "FluxProvider",
    "GridEngineProvider",
    "LSFProvider",
    "PBSProProvider",
    "SlurmProvider",
    "Surveyed",
    "TorqueProvider",
    "survey_accounting",
    "survey_programs",
]
