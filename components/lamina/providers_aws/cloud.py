"""The one place that knows Amazon's client library: questions to EC2, answers as it gives them."""

import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import attrs

from lamina.providers import ProviderUnavailable, SubmitRejected
from lamina.providers_aws.requests import TAG_RUN
from lamina.vocabulary import ConfigError

__all__ = ["Cloud", "must_be_installed"]

# What EC2 says when it is a matter of time: of load, of room, of a quota.
_NOT_NOW = (
    "InstanceLimitExceeded",
    "InsufficientInstanceCapacity",
    "InternalError",
    "MaxSpotInstanceCountExceeded",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SpotMaxPriceTooLow",
    "Throttling",
    "Unavailable",
    "VcpuLimitExceeded",
)
_NOT_THERE = "InvalidInstanceID.NotFound"


def must_be_installed(library: str = "boto3") -> None:
    """See that the client library is there.

    Raises:
        ConfigError: It is not; the text says what to install.
    """
    if find_spec(library) is None:
        msg = (
            "AWSProvider needs the client library of Amazon, which is not installed: "
            "pip install 'lamina-flow[aws]'"
        )
        raise ConfigError(msg)


@attrs.define(eq=False)
class Cloud:
    """EC2 in one region, for one account. ``timeout`` is in seconds. Any thread may call."""

    region: str
    profile: str | None
    endpoint_url: str | None
    timeout: float
    run: str = attrs.field(factory=lambda: secrets.token_hex(4), init=False)
    """The tag of all that this provider starts."""
    _client: Any = attrs.field(default=None, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def start(self, block: str, asked: Mapping[str, Any]) -> Sequence[str]:
        """Start instances, and return their ids.

        Raises:
            SubmitRejected: EC2 said no.
            ProviderUnavailable: It gave no answer, or has no room just now.
        """
        try:
            answer = self._ask("run_instances", **asked)
        except _Said as said:
            if said.code.startswith(_NOT_NOW):
                raise ProviderUnavailable("EC2", str(said)) from None
            raise SubmitRejected(block, "EC2", said.status, str(said)) from None
        return [one["InstanceId"] for one in answer["Instances"]]

    def instances(self) -> Mapping[str, Mapping[str, Any]]:
        """All instances of this run by id, with one question, or a few if there are many.

        Raises:
            ProviderUnavailable: There was no answer.
        """
        found: dict[str, Mapping[str, Any]] = {}
        asked: dict[str, Any] = {"Filters": [{"Name": f"tag:{TAG_RUN}", "Values": [self.run]}]}
        while True:
            try:
                answer = self._ask("describe_instances", **asked)
            except _Said as said:
                raise ProviderUnavailable("EC2", str(said)) from None
            for reservation in answer["Reservations"]:
                found |= {one["InstanceId"]: one for one in reservation["Instances"]}
            if not answer.get("NextToken"):
                return found
            asked["NextToken"] = answer["NextToken"]

    def instance(self, name: str) -> Mapping[str, Any] | None:
        """One instance; None where EC2 knows none of this id.

        Raises:
            ProviderUnavailable: There was no answer.
        """
        try:
            answer = self._ask("describe_instances", InstanceIds=[name])
        except _Said as said:
            if said.code == _NOT_THERE:
                return None
            raise ProviderUnavailable("EC2", str(said)) from None
        found = [one for group in answer["Reservations"] for one in group["Instances"]]
        return found[0] if found else None

    def console(self, name: str) -> str:
        """What an instance has written on its console; empty where that cannot be had."""
        try:
            return str(self._ask("get_console_output", InstanceId=name).get("Output") or "")
        except (_Said, ProviderUnavailable):
            return ""

    def terminate(self, names: Collection[str]) -> None:
        """End instances; those that EC2 does not know are gone already.

        Raises:
            ProviderUnavailable: There was no answer, or it said no.
        """
        for name in names:  # one by one: of many, EC2 ends none if it does not know one
            try:
                self._ask("terminate_instances", InstanceIds=[name])
            except _Said as said:
                if said.code != _NOT_THERE:
                    raise ProviderUnavailable("EC2", str(said)) from None

    def _ask(self, what: str, **arguments: Any) -> Mapping[str, Any]:
        must_be_installed()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: Mapping[str, Any] = getattr(self._door(), what)(**arguments)
        except ClientError as error:
            about = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise _Said(about.get("Code", ""), about.get("Message", ""), status) from None
        except BotoCoreError as error:
            raise ProviderUnavailable("EC2", f"{type(error).__name__}: {error}") from error
        return answer

    def _door(self) -> Any:
        import boto3
        from botocore.config import Config

        with self._lock:
            if self._client is None:
                session = boto3.session.Session(profile_name=self.profile)
                self._client = session.client(
                    "ec2",
                    region_name=self.region,
                    endpoint_url=self.endpoint_url,
                    config=Config(
                        connect_timeout=self.timeout,
                        read_timeout=self.timeout,
                        retries={"total_max_attempts": 1},
                    ),
                )
            return self._client


class _Said(Exception):
    """EC2's answer is an error: it was there, and understood."""

    def __init__(self, code: str, text: str, status: int) -> None:
        super().__init__(code, text, status)
        self.code, self.text, self.status = code, text, status

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"
