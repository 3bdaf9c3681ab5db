"""The HTTP interface of a Kubernetes cluster, as far as pods and Secrets go.

It keeps objects, runs the command of each pod as processes of this machine, and answers in the
cluster's own JSON. There is no container: where a command or a volume names a place in a pod, a
folder of the pod stands in for it. What it does not know it refuses, so a field that a provider
should not send is an error of the test.

Tests reach into it: ``fails`` and ``hangs`` are answered to the next requests, ``nodes`` is how
many pods may run, and ``pods[name]`` can be changed by ``edit``.
"""

import base64
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
REASONS = {
    400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 410: "Expired",
    422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
}  # fmt: skip
POD_FIELDS = {
    "activeDeadlineSeconds", "containers", "imagePullSecrets", "restartPolicy",
    "serviceAccountName", "terminationGracePeriodSeconds", "volumes",
}  # fmt: skip
CONTAINER_FIELDS = {
    "command", "image", "imagePullPolicy", "name", "resources", "securityContext", "volumeMounts",
}  # fmt: skip


class Said(Exception):
    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message


class Cluster:
    """Everything that it keeps; ``lock`` is held by whoever touches it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Condition()
        self.pods: dict[str, Json] = {}
        self.secrets: dict[str, Json] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.fails: list[tuple[str, int, str]] = []
        """(what the request begins with, as ``"POST pods"``; status; message), each used once."""
        self.after: list[str] = []
        """Requests, likewise, that are done and then answered by nobody: the connection ends."""
        self.hangs: list[str] = []
        self.released = threading.Event()
        self.nodes = 10
        self.starts = True
        self.threads: list[threading.Thread] = []

    # Requests.

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Json | None) -> Any:
        words = path.strip("/").split("/")
        if words[:3] != ["api", "v1", "namespaces"]:
            raise Said(404, "the server could not find the requested resource")
        if words[3] != "default":
            raise Said(404, f'namespaces "{words[3]}" not found')
        kind, rest = words[4], words[5:]
        for plan in self.fails:
            if f"{method} {kind}".startswith(plan[0]):
                self.fails.remove(plan)
                raise Said(plan[1], plan[2])
        kept = {"pods": self.pods, "secrets": self.secrets}[kind]
        if method == "POST" and not rest:
            assert body is not None
            return self.create(kind, kept, body)
        if method == "GET" and not rest:
            wanted = dict(one.split("=") for one in query["labelSelector"][0].split(","))
            items = [
                one for one in kept.values() if wanted.items() <= one["metadata"]["labels"].items()
            ]
            return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        name = rest[0]
        if name not in kept:
            raise Said(404, f'{kind} "{name}" not found')
        if method == "GET" and rest[1:] == ["log"]:
            path = str(self.folder / name / "log")
            return Path(path).read_bytes()
        if method == "GET":
            return kept[name]
        if method == "DELETE":
            return self.delete(kind, name)
        raise Said(404, "the server could not find the requested resource")

    def create(self, kind: str, kept: dict[str, Json], body: Json) -> Json:
        name = body["metadata"]["name"]
        if (
            not all(part.isalnum() for part in name.split("-"))
            or len(name) > 63
            or name != name.lower()
        ):
            raise Said(422, f'Pod "{name}" is invalid: metadata.name: Invalid value')
        if name in kept:
            raise Said(409, f'{kind} "{name}" already exists')
        body["metadata"] |= {"uid": str(uuid.uuid4()), "namespace": "default"}
        kept[name] = body
        if kind == "pods":
            spec = body["spec"]
            assert spec.keys() <= POD_FIELDS, spec.keys() - POD_FIELDS
            [container] = spec["containers"]
            assert container.keys() <= CONTAINER_FIELDS, container.keys() - CONTAINER_FIELDS
            body["status"] = {"phase": "Pending"}
            thread = threading.Thread(target=self.run, args=(name,))
            self.threads.append(thread)
            thread.start()
        else:
            assert body["metadata"].keys() >= {"ownerReferences", "labels"}
        self.lock.notify_all()
        return body

    def delete(self, kind: str, name: str) -> Json:
        if kind == "secrets":
            return self.secrets.pop(name)
        pod = self.pods[name]
        if pod["status"]["phase"] in ("Succeeded", "Failed") or "nodeName" not in pod["spec"]:
            self.remove(name)
            return pod
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        when = datetime.now(UTC) + timedelta(seconds=grace)
        pod["metadata"]["deletionTimestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        if name in self.processes:
            end(self.processes[name], grace)
        self.lock.notify_all()
        return pod

    def remove(self, name: str) -> None:
        """A pod is gone, and with it what it alone owned."""
        pod = self.pods.pop(name, None)
        if pod is None:
            return
        for secret in list(self.secrets.values()):
            owners = secret["metadata"]["ownerReferences"]
            owners[:] = [one for one in owners if one["uid"] != pod["metadata"]["uid"]]
            if not owners:
                self.secrets.pop(secret["metadata"]["name"], None)
        self.lock.notify_all()

    # Nodes.

    def run(self, name: str) -> None:
        """The life of a pod."""
        with self.lock:
            self.lock.wait_for(lambda: self.dead(name) or (self.starts and self.has_room()), 60)
            if name not in self.pods:
                return
            pod = self.pods[name]
            if not self.dead(name):
                pod["spec"]["nodeName"] = "node-1"
                waiting = {"reason": "ContainerCreating"}
                self.say(pod, "Pending", waiting=waiting)
                self.lock.wait_for(lambda: self.dead(name) or self.can_mount(pod), 60)
            if self.dead(name):
                self.remove(name)
                return
            process = self.processes[name] = self.start(pod)
            self.say(pod, "Running", running={})
            limit = pod["spec"].get("activeDeadlineSeconds")
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            end(process, 1)
            code = process.wait()
            with self.lock:
                pod["status"] |= {
                    "reason": "DeadlineExceeded",
                    "message": "Pod was active too long",
                }
        with self.lock:
            code = code if code >= 0 else 128 - code
            reason = "Completed" if code == 0 else "Error"
            phase = "Failed" if code or "reason" in pod["status"] else "Succeeded"
            if pod["status"]["phase"] == "Running":  # nobody has said anything else meanwhile
                self.say(pod, phase, terminated={"exitCode": code, "reason": reason})
            if "deletionTimestamp" in pod["metadata"]:
                self.remove(name)

    def dead(self, name: str) -> bool:
        return name not in self.pods or "deletionTimestamp" in self.pods[name]["metadata"]

    def has_room(self) -> bool:
        with_node = [one for one in self.pods.values() if "nodeName" in one["spec"]]
        if sum(one["status"]["phase"] in ("Pending", "Running") for one in with_node) < self.nodes:
            return True
        for one in self.pods.values():
            if "nodeName" not in one["spec"]:
                message = "0/1 nodes are available: 1 Insufficient cpu."
                condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
                one["status"]["conditions"] = [{**condition, "message": message}]
        return False

    def can_mount(self, pod: Json) -> bool:
        secrets = [one["secret"] for one in pod["spec"].get("volumes", ()) if "secret" in one]
        return all(one["secretName"] in self.secrets for one in secrets)

    def start(self, pod: Json) -> "subprocess.Popen[bytes]":
        folder = self.folder / pod["metadata"]["name"]
        folder.mkdir()
        [container] = pod["spec"]["containers"]
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", ())}
        words = list(container["command"])
        for mount in container.get("volumeMounts", ()):
            place = folder / mount["name"]
            place.mkdir()
            secret = volumes[mount["name"]].get("secret")
            if secret is not None:
                for key, data in self.secrets[secret["secretName"]]["data"].items():
                    (place / key).write_bytes(base64.b64decode(data))
            words = [word.replace(mount["mountPath"], str(place)) for word in words]
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def say(self, pod: Json, phase: str, **state: Json) -> None:
        pod["status"] |= {
            "phase": phase,
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "block", "state": state}],
        }
        self.lock.notify_all()

    # What tests do to it.

    def edit(self, name: str, change: Callable[[Json], object]) -> None:
        with self.lock:
            change(self.pods[name])
            self.lock.notify_all()

    def room(self, nodes: int) -> None:
        with self.lock:
            self.nodes = nodes
            self.lock.notify_all()

    def close(self) -> None:
        self.released.set()
        with self.lock:
            self.starts = False
            for name in list(self.pods):
                self.remove(name)
            for process in self.processes.values():
                end(process, 1)
            self.lock.notify_all()
        for thread in self.threads:
            thread.join(30)


def end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """TERM to the first process of a pod, KILL to all when its grace is over."""

    def kill() -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    threading.Thread(target=kill).start()


def handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            what = f"{self.command} {parts.path.strip('/').split('/')[4]}"
            with cluster.lock:
                cluster.asked.append((self.command, self.path))
                hang = next((one for one in cluster.hangs if what.startswith(one)), None)
                silent = next((one for one in cluster.after if what.startswith(one)), None)
            if hang is not None:
                cluster.hangs.remove(hang)
                cluster.released.wait(60)
                self.close_connection = True
                return
            status = 201 if self.command == "POST" else 200
            with cluster.lock:
                try:
                    said = cluster.answer(self.command, parts.path, parse_qs(parts.query), body)
                except Said as error:
                    status = error.code
                    said = {
                        "kind": "Status",
                        "apiVersion": "v1",
                        "status": "Failure",
                        "message": error.message,
                        "reason": REASONS[status],
                        "code": status,
                    }
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
            if silent is not None:
                cluster.after.remove(silent)
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do  # noqa: N815

        def log_message(self, *words: object) -> None:
            pass

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


@contextmanager
def emulated(folder: Path) -> Iterator[tuple[Cluster, str]]:
    """A cluster, and the path of the kubeconfig by which clients find it."""
    cluster = Cluster(folder)
    server = Server(("127.0.0.1", 0), handler(cluster))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    config = folder / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "emulated",
                "clusters": [
                    {
                        "name": "here",
                        "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"},
                    }
                ],
                "users": [{"name": "me", "user": {"token": "t"}}],
                "contexts": [{"name": "emulated", "context": {"cluster": "here", "user": "me"}}],
            }
        )
    )
    try:
        yield cluster, str(config)
    finally:
        cluster.close()
        server.shutdown()
        server.server_close()
        thread.join()


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something, and return it."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        pause.wait(0.02)
    return found
