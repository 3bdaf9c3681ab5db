"""The settings of a HighThroughputExecutor, checked where they are written."""

import os

import attrs

from lamina.providers import Provider
from lamina.scaling import ScalingStrategy
from lamina.vocabulary import ConfigError

__all__ = ["Settings"]


def _at_least_one(_: object, attribute: "attrs.Attribute[int | None]", value: int | None) -> None:
    if value is not None and value < 1:
        msg = f"{attribute.name} is {value!r}; it must be 1 or more, or None for one per core"
        raise ConfigError(msg)


@attrs.frozen(kw_only=True)
class Settings:
    """How one htex is run. Durations are in seconds."""

    label: str
    provider: Provider
    max_workers_per_node: int | None = attrs.field(default=None, validator=_at_least_one)
    cores_per_worker: float = attrs.field(default=1.0)
    address: str | None = attrs.field(default=None)
    worker_port: int | None = None
    encrypted: bool = True
    heartbeat_period: float = attrs.field(default=30.0)
    heartbeat_threshold: float = attrs.field(default=120.0)
    max_idletime: float = 120.0
    strategy: ScalingStrategy
    codec_name: str

    @cores_per_worker.validator
    def _is_some_of_a_core(self, _: object, cores: float) -> None:
        if not cores > 0:
            msg = f"cores_per_worker is {cores!r}; it must be more than 0"
            raise ConfigError(msg)

    @heartbeat_threshold.validator
    def _outlasts_a_lost_heartbeat(self, _: object, limit: float) -> None:
        least = 2 * self.heartbeat_period
        if limit < least:
            msg = (
                f"heartbeat_threshold is {limit:g} s; make it {least:g} s or more, "
                "twice heartbeat_period"
            )
            raise ConfigError(msg)

    @address.validator
    def _is_there_when_others_must_find_us(self, _: object, address: str | None) -> None:
        if address is None and not self.provider.blocks_are_local:
            msg = (
                f"executor {self.label!r} needs address=, this host's name or IP address as the "
                f"nodes of {self.provider.label!r} can reach it"
            )
            raise ConfigError(msg)

    @property
    def workers(self) -> int | None:
        """Workers on each node, or None for what the node's cores allow."""
        if self.cores_per_worker == 1.0:
            return self.max_workers_per_node
        fit = max(1, int(len(os.sched_getaffinity(0)) / self.cores_per_worker))
        return fit if self.max_workers_per_node is None else min(fit, self.max_workers_per_node)

    @property
    def workers_guess(self) -> int:
        """Workers on each node, as far as this host can tell; the manager's word replaces it."""
        return self.workers or len(os.sched_getaffinity(0))

    def bind(self) -> str | None:
        """Where the interchange listens for managers; None for a Unix socket of its own."""
        if self.address is None:
            return None
        return f"tcp://{self.address}:{self.worker_port or '*'}"
