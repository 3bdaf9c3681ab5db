"""``AWSProvider``: blocks that are virtual machines of Amazon EC2."""

import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs

from lamina.providers import BlockRequest, JobStatus
from lamina.providers_aws.cloud import Cloud, must_be_installed
from lamina.providers_aws.desk import Desk
from lamina.providers_aws.requests import MachineOptions, user_data
from lamina.vocabulary import ConfigError, JobId, read_seconds

__all__ = ["AWSProvider"]


def _walltime(value: float | str | None) -> float | None:
    return None if value is None else read_seconds(value, what="walltime")


def _cmd_timeout(value: float | str) -> float:
    return read_seconds(value, what="cmd_timeout")


def _texts(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(one, str) for one in value):
        msg = f"security_group_ids is {value!r}; write a list of text"
        raise ConfigError(msg)
    return tuple(value)


def _interval(value: float | str) -> float:
    return read_seconds(value, what="status_polling_interval")


@attrs.frozen
class AWSProvider:
    """Asks EC2 for blocks, each of one virtual machine for each of its nodes.

    Machines see no file of this program's host: what the manager needs, keys among it, is in the
    user data of its machine, which everybody on that machine can read, and everybody who may
    describe instances of the account. They must reach the executor's ``address``, and Lamina must
    be in the image or be installed by ``worker_init``. A machine ends itself when its manager
    leaves, or after ``walltime`` (seconds, or ``"HH:MM:SS"``), whatever becomes of this program.
    """

    image_id: str
    key_name: str | None = None
    init_blocks: int = 1
    min_blocks: int = 0
    max_blocks: int = 10
    nodes_per_block: int = 1
    parallelism: float = 1
    worker_init: str = ""
    instance_type: str = "t2.small"
    region: str = "us-east-2"
    spot_max_bid: float = 0
    """Dollars an hour for a spot machine at most; 0 for one on demand."""
    profile: str | None = None
    iam_instance_profile_arn: str | None = None
    walltime: float | None = attrs.field(default=3600, converter=_walltime)
    subnet_id: str | None = attrs.field(default=None, kw_only=True)
    security_group_ids: Sequence[str] = attrs.field(default=(), converter=_texts, kw_only=True)
    python: str = attrs.field(default="python3", kw_only=True)
    endpoint_url: str | None = attrs.field(default=None, kw_only=True)
    cmd_timeout: float = attrs.field(default=30, converter=_cmd_timeout, kw_only=True)
    status_polling_interval: float = attrs.field(default=15, converter=_interval, kw_only=True)
    label: str = attrs.field(default="aws", kw_only=True)
    _desk: Desk = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        must_be_installed()
        for complaint in _complaints(self):
            raise ConfigError(complaint)
        cloud = Cloud(self.region, self.profile, self.endpoint_url, self.cmd_timeout)
        object.__setattr__(self, "_desk", Desk(cloud, self._machine_options()))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: no."""
        return False

    @property
    def takes_luggage(self) -> bool:
        """Whether blocks see no file of this host: yes."""
        return True

    def submit(self, request: BlockRequest) -> JobId:
        """Start the machines of one block.

        Raises:
            SubmitRejected: EC2 said no; asking again will not help.
            ProviderUnavailable: It gave no answer, or has no room; asking again may help.
        """
        return self._desk.submit(request, _name(request, secrets.token_hex(4)))

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each block stands.

        Raises:
            ProviderUnavailable: EC2 gives no answer, so nothing is known.
        """
        return self._desk.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End the machines of these blocks.

        Raises:
            ProviderUnavailable: EC2 gives no answer; asking again may help.
        """
        self._desk.cancel(jobs)

    def described(self, request: BlockRequest) -> tuple[str, str]:
        """How this block would be asked for, and what its machines run."""
        kind = "spot" if self.spot_max_bid > 0 else "on demand"
        how = f"EC2 in {self.region}: {self.nodes_per_block} of {self.instance_type}, {kind}"
        return how, user_data(_name(request, "TOKEN"), request, self._machine_options())

    def _machine_options(self) -> MachineOptions:
        return MachineOptions(
            image_id=self.image_id,
            instance_type=self.instance_type,
            nodes=self.nodes_per_block,
            worker_init=self.worker_init,
            key_name=self.key_name,
            spot_max_bid=self.spot_max_bid,
            iam_instance_profile_arn=self.iam_instance_profile_arn,
            subnet_id=self.subnet_id,
            security_group_ids=tuple(self.security_group_ids),
            walltime=self.walltime,
        )


def _name(request: BlockRequest, token: str) -> str:
    """A name for tags and for the client token, which may have 64 characters."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", request.name)[: 63 - len(token)]
    return f"{plain}-{token}"


def _complaints(options: Any) -> Iterator[str]:
    """What cannot work, each with what would."""
    for name in ("image_id", "instance_type", "region", "python", "label"):
        value = getattr(options, name)
        if not isinstance(value, str) or not value.strip():
            yield f"{name} is {value!r}; it must be text that says something"
    for name in ("key_name", "profile", "iam_instance_profile_arn", "subnet_id", "endpoint_url"):
        value = getattr(options, name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            yield f"{name} is {value!r}; write text, or leave it out"
    for name, least in (("nodes_per_block", 1), ("max_blocks", 1), ("min_blocks", 0)):
        if type(getattr(options, name)) is not int or getattr(options, name) < least:
            yield f"{name} is {getattr(options, name)!r}; make it a whole number, {least} or more"
    for name in ("init_blocks", "min_blocks"):
        value = getattr(options, name)
        if type(value) is not int or not 0 <= value <= options.max_blocks:
            yield f"{name} is {value!r}; make it a whole number up to max_blocks"
    for name in ("parallelism", "spot_max_bid"):
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            yield f"{name} is {value!r}; make it 0 or more"
    if not isinstance(options.worker_init, str):
        yield f"worker_init is {options.worker_init!r}; it must be text"
