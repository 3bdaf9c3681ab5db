"""``KubernetesProvider``: blocks that are pods of a Kubernetes cluster."""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from lamina.providers import BlockRequest, JobStatus
from lamina.providers_kubernetes import checks
from lamina.providers_kubernetes.amounts import written_cpu
from lamina.providers_kubernetes.cluster import cluster_of, must_be_installed
from lamina.providers_kubernetes.desk import Desk
from lamina.providers_kubernetes.manifests import PodOptions, block_name
from lamina.vocabulary import JobId, read_seconds

__all__ = ["KubernetesProvider"]

_GRACE = 10  # seconds that a pod has for ending


def _cmd_timeout(value: float | str) -> float:
    return read_seconds(value, what="cmd_timeout")


def _interval(value: float | str) -> float:
    return read_seconds(value, what="status_polling_interval")


def _mapping(value: Mapping[str, str] | None) -> Mapping[str, str]:
    return {} if value is None else value


@attrs.frozen
class KubernetesProvider:
    """Asks a Kubernetes cluster for blocks, each of one pod for each of its nodes.

    ``init_cpu`` and ``init_mem`` are what a pod is sure of (its requests), ``max_cpu`` and
    ``max_mem`` what it may use (its limits): cores, and text such as ``"500Mi"`` or ``"2 GiB"``.
    Pods see no file of this program's host: what the manager needs comes with them, in a Secret.
    They must be able to reach the executor's ``address``, and Lamina must be in the image.
    """

    image: str = attrs.field(validator=checks.filled)
    namespace: str = attrs.field(default="default", validator=checks.filled)
    nodes_per_block: int = attrs.field(default=1, validator=checks.count(1))
    init_blocks: int = attrs.field(default=4, validator=checks.count(0))
    min_blocks: int = attrs.field(default=0, validator=checks.count(0))
    max_blocks: int = attrs.field(default=10, validator=checks.count(1))
    max_cpu: float = attrs.field(default=2, converter=checks.max_cpu)
    # The defaults are what users write; what is kept is bytes.
    max_mem: int = attrs.field(default="500Mi", converter=checks.max_mem)  # type: ignore[assignment]
    init_cpu: float = attrs.field(default=1, converter=checks.init_cpu)
    init_mem: int = attrs.field(default="250Mi", converter=checks.init_mem)  # type: ignore[assignment]
    parallelism: float = attrs.field(default=1)
    worker_init: str = attrs.field(default="", validator=checks.text)
    extra_requests: Mapping[str, str] = attrs.field(default=None, converter=_mapping)
    extra_limits: Mapping[str, str] = attrs.field(default=None, converter=_mapping)
    pod_name: str | None = attrs.field(default=None, validator=checks.optional)
    user_id: int | None = attrs.field(default=None, validator=checks.count(0, none=True))
    group_id: int | None = attrs.field(default=None, validator=checks.count(0, none=True))
    run_as_non_root: bool = attrs.field(default=False, validator=checks.flag)
    secret: str | None = attrs.field(default=None, validator=checks.optional)
    persistent_volumes: Sequence[tuple[str, str]] = attrs.field(default=(), converter=checks.claims)
    service_account_name: str | None = attrs.field(default=None, validator=checks.optional)
    annotations: Mapping[str, str] = attrs.field(default=None, converter=_mapping)
    walltime: float | None = attrs.field(default=None, converter=checks.walltime, kw_only=True)
    image_pull_policy: str | None = attrs.field(default=None, kw_only=True)
    pull_timeout: float = attrs.field(default=300, converter=checks.pull_timeout, kw_only=True)
    python: str = attrs.field(default="python3", validator=checks.filled, kw_only=True)
    config_file: str | None = attrs.field(default=None, validator=checks.optional, kw_only=True)
    context: str | None = attrs.field(default=None, validator=checks.optional, kw_only=True)
    cmd_timeout: float = attrs.field(default=30, converter=_cmd_timeout, kw_only=True)
    status_polling_interval: float = attrs.field(default=5, converter=_interval, kw_only=True)
    label: str = attrs.field(default="kubernetes", validator=checks.filled, kw_only=True)
    _desk: Desk = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        must_be_installed()
        checks.check_together(self)
        cluster = cluster_of(self.namespace, self.config_file, self.context, self.cmd_timeout)
        desk = Desk(
            cluster,
            self._pod_options(),
            nodes=self.nodes_per_block,
            interval=self.status_polling_interval,
            patience=self.pull_timeout,
        )
        object.__setattr__(self, "_desk", desk)

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: no."""
        return False

    @property
    def takes_luggage(self) -> bool:
        """Whether blocks see no file of this host: yes."""
        return True

    def submit(self, request: BlockRequest) -> JobId:
        """Make the pods of one block.

        Raises:
            SubmitRejected: The cluster said no; asking again will not help.
            ProviderUnavailable: It gave no answer, or a quota is used up; again may help.
        """
        wanted = self.pod_name or request.name
        return self._desk.submit(request, block_name(wanted, secrets.token_hex(4)))

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each block stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: The cluster gives no answer, so nothing is known.
        """
        return self._desk.poll(jobs) if jobs else {}

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Remove the pods of these blocks; each has some seconds to end in good order.

        Raises:
            ProviderUnavailable: There was no answer; it is tried again at each poll.
        """
        self._desk.cancel(jobs)

    def described(self, request: BlockRequest) -> tuple[str, str]:
        """How this block would be asked for, and the pods as JSON has them."""
        pods = self._desk.manifests(request, block_name(self.pod_name or request.name, "TOKEN"))
        return (
            f"the Kubernetes API, in namespace {self.namespace}",
            "\n".join(json.dumps(_shown(one), indent=2) for one in pods),
        )

    def _pod_options(self) -> PodOptions:
        return PodOptions(
            image=self.image,
            worker_init=self.worker_init,
            requests={
                "cpu": written_cpu(self.init_cpu),
                "memory": str(self.init_mem),
                **self.extra_requests,
            },
            limits={
                "cpu": written_cpu(self.max_cpu),
                "memory": str(self.max_mem),
                **self.extra_limits,
            },
            user_id=self.user_id,
            group_id=self.group_id,
            run_as_non_root=self.run_as_non_root,
            secret=self.secret,
            persistent_volumes=self.persistent_volumes,
            service_account_name=self.service_account_name,
            annotations=self.annotations,
            image_pull_policy=self.image_pull_policy,
            walltime=self.walltime,
            grace=_GRACE,
        )


def _shown(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod with its script in lines, as people read it."""
    for container in pod["spec"]["containers"]:
        container["command"] = [*container["command"][:-1], *container["command"][-1].splitlines()]
    return pod
