"""What is sent to the cluster: pods, and the Secret with what they need, as JSON has them."""

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lamina.providers import Luggage

__all__ = ["LABEL_BLOCK", "LABEL_RUN", "PodOptions", "block_name", "pod", "pod_names", "secret"]

LABEL_BLOCK, LABEL_RUN = "lamina/block", "lamina/run"
_OURS = {"app.kubernetes.io/managed-by": "lamina"}
_LONGEST_NAME = 63  # characters; RFC 1123, as a pod's name becomes its host name
_NUMBER = 5  # characters of them for which pod of a block it is
_PACKED = "/lamina/luggage"  # where the Secret is mounted: the cluster's files, read-only
_OPENED = "/lamina/block"  # where the manager finds them: the user's own files, in memory


@attrs.frozen(kw_only=True)
class PodOptions:
    """What is the same for all pods of a provider. CPUs are cores, memory is in bytes."""

    image: str
    worker_init: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    user_id: int | None
    group_id: int | None
    run_as_non_root: bool
    secret: str | None
    persistent_volumes: Sequence[tuple[str, str]]
    service_account_name: str | None
    annotations: Mapping[str, str]
    image_pull_policy: str | None
    walltime: float | None
    grace: int


def block_name(wanted: str, token: str) -> str:
    """A name that pods may have (RFC 1123), and that holds the token, which is unique."""
    room = _LONGEST_NAME - _NUMBER - len(token) - 1
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:room].strip("-")
    return f"{plain or 'lamina'}-{token}"


def pod_names(block: str, nodes: int) -> list[str]:
    """The names of the pods of a block."""
    return [block] if nodes == 1 else [f"{block}-{number}" for number in range(nodes)]


def labels_of(run: str, block: str) -> dict[str, str]:
    """By what all objects of a run, and those of one block, are found."""
    return {**_OURS, LABEL_RUN: run, LABEL_BLOCK: block}


def pod(
    name: str, *, run: str, block: str, command: str, luggage: Luggage | None, options: PodOptions
) -> dict[str, Any]:
    """One pod; ``command`` is for bash, and the luggage's own command replaces it."""
    # Nothing of the luggage is in here: who may see pods need not be allowed to see Secrets.
    script = [options.worker_init] if options.worker_init else []
    script += _opening(luggage) if luggage is not None else [command]
    container: dict[str, Any] = {
        "name": "block",
        "image": options.image,
        "command": ["/bin/bash", "-c", "\n".join(script)],
        "resources": {"requests": dict(options.requests), "limits": dict(options.limits)},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": options.grace,
        "containers": [container],
    }
    if options.image_pull_policy is not None:
        container["imagePullPolicy"] = options.image_pull_policy
    volumes, mounts = _volumes(block, luggage, options.persistent_volumes)
    if volumes:
        spec["volumes"], container["volumeMounts"] = volumes, mounts
    if options.walltime is not None:
        spec["activeDeadlineSeconds"] = max(1, round(options.walltime))
    if options.service_account_name is not None:
        spec["serviceAccountName"] = options.service_account_name
    if options.secret is not None:
        spec["imagePullSecrets"] = [{"name": options.secret}]
    context = _security(options)
    if context:
        container["securityContext"] = context
    metadata: dict[str, Any] = {"name": name, "labels": labels_of(run, block)}
    if options.annotations:
        metadata["annotations"] = dict(options.annotations)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def secret(
    block: str, *, run: str, luggage: Luggage, owners: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the pods of a block need; the cluster removes it when the last of them is removed."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": block,
            "labels": labels_of(run, block),
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                }
                for owner in owners
            ],
        },
        "data": {
            _key(path): base64.b64encode(content).decode("ascii")
            for path, content in luggage.files.items()
        },
    }


def _key(path: str) -> str:
    """A path as the keys of a Secret can be written."""
    return re.sub(r"[^-._a-zA-Z0-9]", ".", path)


def _opening(luggage: Luggage) -> list[str]:
    """Copy the luggage to where it is the user's own, whoever that is in the image; then run."""
    # A mounted Secret belongs to root and is made of links; keys must be files of the user alone.
    lines = ["umask 077", f'LAMINA_LUGGAGE="$(mktemp -d {_OPENED}/XXXXXXXX)" || exit 1']
    folders = sorted({path.rpartition("/")[0] for path in luggage.files if "/" in path})
    lines += [f'mkdir -p "$LAMINA_LUGGAGE"/{shlex.quote(folder)} || exit 1' for folder in folders]
    lines += [
        f'cat {_PACKED}/{_key(path)} > "$LAMINA_LUGGAGE"/{shlex.quote(path)} || exit 1'
        for path in luggage.files
    ]
    # As the pod's first process, the manager hears of the pod's end itself.
    return [*lines, "export LAMINA_LUGGAGE", f"exec {luggage.command}"]


def _volumes(
    block: str, luggage: Luggage | None, claims: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    if luggage is not None:
        # Readable for each user of this container, which has but one.
        packed = {"secretName": block, "defaultMode": 0o444}
        volumes.append({"name": "lamina-luggage", "secret": packed})
        volumes.append({"name": "lamina-block", "emptyDir": {"medium": "Memory"}})
        mounts.append({"name": "lamina-luggage", "mountPath": _PACKED, "readOnly": True})
        mounts.append({"name": "lamina-block", "mountPath": _OPENED})
    for number, (claim, place) in enumerate(claims):
        name = f"claim-{number}"
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": name, "mountPath": place})
    return volumes, mounts


def _security(options: PodOptions) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if options.user_id is not None:
        context["runAsUser"] = options.user_id
    if options.group_id is not None:
        context["runAsGroup"] = options.group_id
    if options.run_as_non_root:
        context["runAsNonRoot"] = True
        context["allowPrivilegeEscalation"] = False
    return context
