"""The one place that knows the cluster's client library: requests there, answers as plain JSON.

Answers are read as JSON and not as the library's classes, which judge what newer servers say by
what was known when they were written.
"""

import json
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, NoReturn

import attrs

from lamina.providers import ProviderError, ProviderUnavailable, SubmitRejected
from lamina.providers_kubernetes.listing import Listing
from lamina.providers_kubernetes.manifests import LABEL_BLOCK, LABEL_RUN
from lamina.vocabulary import ConfigError

__all__ = ["Cluster", "cluster_of", "must_be_installed"]

_NOT_FOUND, _CONFLICT, _GONE = 404, 409, 410
_SAYS_NO = frozenset({400, 401, 403, _NOT_FOUND, 405, 413, 415, 422})
_QUOTA = "exceeded quota"  # in a 403: it is a matter of time
_LOG_LINES, _LOG_BYTES = 200, 2**16

_clusters: "weakref.WeakValueDictionary[object, Cluster]" = weakref.WeakValueDictionary()
_opening = threading.Lock()


def must_be_installed(library: str = "kubernetes") -> None:
    """See that the client library is there.

    Raises:
        ConfigError: It is not; the text says what to install.
    """
    if find_spec(library) is None:
        msg = (
            "KubernetesProvider needs the client library of Kubernetes, which is not installed: "
            "pip install 'lamina-flow[kubernetes]'"
        )
        raise ConfigError(msg)


def cluster_of(
    namespace: str, config_file: str | None, context: str | None, timeout: float
) -> "Cluster":
    """The one that all who name the same share while anybody holds it, and its status query."""
    key = (namespace, config_file, context, timeout)
    with _opening:
        cluster = _clusters.get(key)
        if cluster is None:
            cluster = _clusters[key] = Cluster(*key)
        return cluster


@attrs.define(eq=False, weakref_slot=True)
class Cluster:
    """One namespace of a cluster. ``timeout`` is in seconds. Any thread may call."""

    namespace: str
    config_file: str | None
    context: str | None
    timeout: float
    run: str = attrs.field(factory=lambda: secrets.token_hex(4), init=False)
    """The label of all that this program makes there."""
    _listing: Listing = attrs.field(factory=Listing, init=False, repr=False)
    _listing_lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _client: Any = attrs.field(default=None, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def create_pod(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a pod, or find the one that an earlier request with this manifest has made.

        Raises:
            SubmitRejected: The cluster said no.
            ProviderUnavailable: It gave no answer; the pod may be there.
        """
        return self._create("pod", manifest)

    def create_secret(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a Secret, likewise."""
        return self._create("secret", manifest)

    def pods(self, interval: float, now: float, chance: float) -> Mapping[str, Mapping[str, Any]]:
        """All pods of this program by name, as of at most ``interval`` seconds ago.

        Raises:
            ProviderUnavailable: There was no answer, or it is too early to ask again.
        """
        with self._listing_lock:
            listing = self._listing
            if listing.due(now, interval):
                try:
                    found = self._list()
                except ProviderUnavailable as error:
                    listing.failed(now, error.why, interval, chance)
                else:
                    listing.answered(now, {one["metadata"]["name"]: one for one in found})
            if listing.why:
                raise ProviderUnavailable("the cluster, on listing pods,", listing.why)
            return listing.pods

    def _list(self) -> list[Mapping[str, Any]]:
        for last in (False, True):
            try:
                answer = self._ask(
                    "listing pods",
                    "list_namespaced_pod",
                    self.namespace,
                    label_selector=f"{LABEL_RUN}={self.run}",
                )
            except _Said as said:
                if said.status == _GONE and not last:  # what it had begun to tell is outdated
                    continue
                said.unavailable("listing pods")
            else:
                found: list[Mapping[str, Any]] = answer["items"]
                return found
        raise AssertionError  # the last turn returns or raises

    def pod(self, name: str) -> Mapping[str, Any] | None:
        """One pod; None where there is none of this name.

        Raises:
            ProviderUnavailable: There was no answer.
        """
        try:
            found: Mapping[str, Any] = self._ask(
                "reading a pod", "read_namespaced_pod", name, self.namespace
            )
            return found
        except _Said as said:
            if said.status == _NOT_FOUND:
                return None
            said.unavailable("reading a pod")

    def log(self, name: str) -> str:
        """The last lines that a pod has written; empty where they cannot be had."""
        api, _ = self._api()
        try:
            answer = api.read_namespaced_pod_log(
                name,
                self.namespace,
                tail_lines=_LOG_LINES,
                limit_bytes=_LOG_BYTES,
                _preload_content=False,
                _request_timeout=self.timeout,
            )
            return bytes(answer.data).decode("utf-8", "replace")
        except Exception:  # whatever it is, the block's end is told without its last words
            return ""

    def delete(self, kind: str, name: str) -> None:
        """Remove a ``"pod"``, with its grace, or a ``"secret"``; it may be gone already.

        Raises:
            ProviderUnavailable: There was no answer, or it said no.
        """
        what = f"deleting {kind} {name}"
        try:
            self._ask(what, f"delete_namespaced_{kind}", name, self.namespace)
        except _Said as said:
            if said.status not in (_NOT_FOUND, _CONFLICT):
                said.unavailable(what)

    def _create(self, kind: str, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        what = f"creating {kind} {manifest['metadata']['name']}"
        for last in (False, True):
            try:
                made: Mapping[str, Any] = self._ask(
                    what, f"create_namespaced_{kind}", self.namespace, manifest
                )
                return made
            except ProviderUnavailable:
                if last:
                    raise
                # It may have been done: with the same name it cannot be done twice.
            except _Said as said:
                if said.status == _CONFLICT and (mine := self._own(kind, manifest)) is not None:
                    return mine
                if said.status in _SAYS_NO and _QUOTA not in said.text:
                    raise SubmitRejected(
                        manifest["metadata"]["labels"].get(LABEL_BLOCK, "?"),
                        f"the cluster, on {what},",
                        said.status,
                        said.text,
                    ) from None
                said.unavailable(what)
        raise AssertionError  # the last turn returns or raises

    def _own(self, kind: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What has this name already, if it is ours."""
        what, name = f"reading a {kind}", manifest["metadata"]["name"]
        try:
            found = self._ask(what, f"read_namespaced_{kind}", name, self.namespace)
        except _Said as said:
            said.unavailable(what)
        ours = manifest["metadata"]["labels"]
        return found if found["metadata"].get("labels") == ours else None

    def _ask(self, what: str, method: str, *arguments: object, **options: object) -> Any:
        """Ask one question, and read the answer.

        Raises:
            _Said: The server's answer is an error.
            ProviderUnavailable: There was none, or none that makes sense.
        """
        api, library = self._api()
        call: Callable[..., Any] = getattr(api, method)
        try:
            answer = call(
                *arguments, **options, _preload_content=False, _request_timeout=self.timeout
            )
            return json.loads(answer.data)
        except library.ApiException as error:
            raise _Said(error.status or 0, _text_of(error)) from None
        except Exception as error:  # of sockets, of TLS, of HTTP, of JSON: each library has its own
            why = f"{type(error).__name__}: {error}"
            raise ProviderUnavailable(f"the cluster, on {what},", why) from error

    def _api(self) -> tuple[Any, Any]:
        """The client's door, opened when first used, and the module with its errors."""
        must_be_installed()
        from kubernetes import client, config

        with self._lock:
            if self._client is None:
                settings = client.Configuration()
                settings.retries = 0
                try:
                    self._configure(settings, config)
                except (config.ConfigException, OSError, ValueError) as error:
                    raise ProviderUnavailable("the cluster's configuration", str(error)) from error
                self._client = client.CoreV1Api(client.ApiClient(settings))
            return self._client, client

    def _configure(self, settings: Any, config: Any) -> None:
        path = self.config_file or os.environ.get("KUBECONFIG")
        usual = os.path.expanduser("~/.kube/config")
        if path is None and self.context is None and not os.path.exists(usual):
            config.load_incluster_config(client_configuration=settings)
            return
        config.load_kube_config(path or usual, context=self.context, client_configuration=settings)


class _Said(ProviderError):
    """The server's answer is an error: it was there, and understood."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status, self.text = status, text

    def unavailable(self, what: str) -> NoReturn:
        """Nothing is known, as far as the caller goes."""
        raise ProviderUnavailable(
            f"the cluster, on {what},", f"{self.status}: {self.text}"
        ) from None


def _text_of(error: Any) -> str:
    try:
        body = error.body
        said = json.loads(body.decode() if isinstance(body, bytes) else body)
        return str(said["message"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error.reason or "it gave no reason")
