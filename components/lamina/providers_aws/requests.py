"""What EC2 is asked for a block: instances, their tags, and the script that they begin with."""

import base64
import shlex
from typing import Any

import attrs

from lamina.providers import BlockRequest

__all__ = ["MOST_USER_DATA", "TAG_BLOCK", "TAG_RUN", "MachineOptions", "instances", "user_data"]

TAG_BLOCK, TAG_RUN = "lamina:block", "lamina:run"
MOST_USER_DATA = 16 * 1024  # bytes, before they are encoded: more is refused
EXIT_WORD = "lamina-exit"  # on the console, before the name of the block and its exit status


@attrs.frozen(kw_only=True)
class MachineOptions:
    """What is the same for all blocks of a provider. ``walltime`` is in seconds."""

    image_id: str
    instance_type: str
    nodes: int
    worker_init: str
    key_name: str | None
    spot_max_bid: float
    iam_instance_profile_arn: str | None
    subnet_id: str | None
    security_group_ids: tuple[str, ...]
    walltime: float | None


def instances(name: str, run: str, script: str, options: MachineOptions) -> dict[str, Any]:
    """The arguments of ``run_instances`` for a block of this name."""
    tags = [
        {"Key": "Name", "Value": name},
        {"Key": TAG_BLOCK, "Value": name},
        {"Key": TAG_RUN, "Value": run},
    ]
    asked: dict[str, Any] = {
        "ImageId": options.image_id,
        "InstanceType": options.instance_type,
        "MinCount": options.nodes,  # all of them or none
        "MaxCount": options.nodes,
        "ClientToken": name,  # with it, EC2 itself does nothing twice
        "UserData": script,
        # A machine that has shut itself down costs nothing any more.
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
    }
    if options.key_name is not None:
        asked["KeyName"] = options.key_name
    if options.iam_instance_profile_arn is not None:
        asked["IamInstanceProfile"] = {"Arn": options.iam_instance_profile_arn}
    if options.subnet_id is not None:
        asked["SubnetId"] = options.subnet_id
    if options.security_group_ids:
        asked["SecurityGroupIds"] = list(options.security_group_ids)
    if options.spot_max_bid > 0:
        asked["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {
                "MaxPrice": f"{options.spot_max_bid:g}",
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "terminate",
            },
        }
    return asked


def user_data(name: str, request: BlockRequest, options: MachineOptions) -> str:
    """The script that each machine of a block runs as root when it starts.

    Whatever becomes of it, the machine shuts itself down, and what it says last is on its
    console. The luggage is in it: see the guide for who can read that.
    """
    lines = [
        "#!/bin/bash",
        "lamina_end() {",
        "    lamina_status=$?",
        f'    echo "{EXIT_WORD} {name} $lamina_status" | tee /dev/console',
        "    shutdown -h now",
        "}",
        "trap lamina_end EXIT",
        "umask 077",
    ]
    if options.walltime is not None:
        lines.append(f"shutdown -h +{max(1, round(options.walltime / 60))}")
    command = request.command
    if request.luggage is not None:
        command = request.luggage.command
        lines.append('export LAMINA_LUGGAGE="$(mktemp -d)"')
        for path, content in request.luggage.files.items():
            place = f'"$LAMINA_LUGGAGE"/{shlex.quote(path)}'
            lines += [
                f'mkdir -p "$(dirname {place})"',
                f"base64 -d > {place} <<< {base64.b64encode(content).decode('ascii')}",
            ]
    return "\n".join([*lines, options.worker_init, command, ""])
