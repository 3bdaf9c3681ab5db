"""Machines for the instances that moto keeps: each runs its user data as a process of this host.

moto answers as EC2 does and runs nothing. Here, an instance that is running gets a process,
whose output is its console; one that is terminated loses it. ``shutdown`` in a script ends the
instance, as its own doing. moto's answer about consoles is replaced by what was written.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from moto import mock_aws
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason
from moto.ec2.responses.general import General
from moto.ec2.utils import Base64EncodedString

ACCOUNT, REGION = "123456789012", "us-east-2"
LOOK = 0.05  # seconds
_answering = threading.RLock()
BY_ITSELF = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")


class Machines:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend = ec2_backends[ACCOUNT][REGION]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.speaks = True
        """Whether consoles show what was written on them."""
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def instances(self) -> list[Any]:
        return list(self.backend.all_instances())

    def of_block(self, block: str) -> list[Any]:
        return [
            one
            for one in self.instances()
            if block
            in (tag["value"] for tag in self.backend.describe_tags({"resource-id": [one.id]}))
        ]

    def run(self) -> None:
        while not self.stopping.wait(LOOK):
            self.look()
        for name in list(self.processes):
            self.kill(name)

    def look(self) -> None:
        for instance in self.instances():
            state, name = instance._state.name, instance.id
            if state == "running" and not (self.folder / name).exists():
                self.boot(instance)
            process = self.processes.get(name)
            if process is None:
                continue
            if state != "running":
                self.kill(name)
            elif (self.folder / name / "shutdown").exists():
                self.kill(name)
                end(instance, *BY_ITSELF)

    def boot(self, instance: Any) -> None:
        home = self.folder / instance.id
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "shutdown"
        # `shutdown -h +N` is for later; nothing here waits so long.
        program.write_text(f'#!/bin/bash\n[[ $2 == now ]] && touch "{home}/shutdown"\nexit 0\n')
        program.chmod(0o755)
        script = home / "user-data"
        text = instance.user_data.decode() if instance.user_data else ""
        script.write_text(text.replace("/dev/console", f"{home}/device"))
        with (home / "console").open("wb") as console:
            self.processes[instance.id] = subprocess.Popen(
                ["bash", str(script)],
                stdout=console,
                stderr=console,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PATH": f"{home}/bin:{os.environ['PATH']}"},
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def console(self, general: Any) -> ActionResult:
        name = general._get_param("InstanceId")
        path = self.folder / name / "console"
        text = path.read_text(errors="replace") if self.speaks and path.exists() else ""
        return ActionResult(
            {"InstanceId": name, "Output": Base64EncodedString.from_raw_string(text)}
        )


def end(instance: Any, code: str, message: str) -> None:
    """Have EC2 end an instance for this reason."""
    with _answering:
        instance.terminate()
        instance.state_reason = StateReason(message, code)


def _in_one_go(answer: Callable[[BaseResponse], Any]) -> Callable[[BaseResponse], Any]:
    """Let nothing change while EC2 answers: what it says of one instance fits together."""

    def answers(response: BaseResponse) -> Any:
        with _answering:
            return answer(response)

    return answers


@contextmanager
def emulated(folder: Path) -> Iterator[Machines]:
    """EC2 in one region, until the block is left; no credentials of anybody are used."""
    fake = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with mock.patch.dict(os.environ, fake), mock_aws():
        machines = Machines(folder)
        answer = lambda general: machines.console(general)  # noqa: E731 one that binds
        whole = _in_one_go(BaseResponse.call_action)
        with (
            mock.patch.object(General, "get_console_output", answer),
            mock.patch.object(BaseResponse, "call_action", whole),
        ):
            machines.thread.start()
            try:
                yield machines
            finally:
                machines.stopping.set()
                machines.thread.join()
