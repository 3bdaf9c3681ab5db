import base64

import pytest

from lamina.providers import Luggage
from lamina.providers_kubernetes.manifests import (
    PodOptions,
    block_name,
    labels_of,
    pod,
    pod_names,
    secret,
)

OPTIONS = PodOptions(
    image="image",
    worker_init="",
    requests={},
    limits={},
    user_id=None,
    group_id=None,
    run_as_non_root=False,
    secret=None,
    persistent_volumes=(),
    service_account_name=None,
    annotations={},
    image_pull_policy=None,
    walltime=None,
    grace=10,
)
LUGGAGE = Luggage(files={"a.json": b"hidden", "deep/er/b c": b"\x00"}, command="run it")


@pytest.mark.parametrize("wanted", ["lamina.My Label.block-0", "-x-", "ü", "", "a" * 200])
def test_a_name_is_one_that_pods_may_have(wanted: str) -> None:
    name = block_name(wanted, "0123abcd")
    for one in pod_names(name, 1) + pod_names(name, 9999):
        assert len(one) <= 63
        assert all(part.isalnum() and part.isascii() for part in one.split("-"))
        assert one == one.lower()
    assert name.endswith("-0123abcd")


def test_a_pod_alone_has_the_name_of_its_block() -> None:
    assert pod_names("x", 1) == ["x"]
    assert pod_names("x", 2) == ["x-0", "x-1"]


def test_a_pod_holds_nothing_of_the_luggage() -> None:
    made = pod("p", run="r", block="b", command="never", luggage=LUGGAGE, options=OPTIONS)
    script = made["spec"]["containers"][0]["command"][-1]
    assert "hidden" not in str(made)
    assert "never" not in script
    assert script.splitlines()[-1] == "exec run it"
    assert script.startswith("umask 077\n")
    assert made["metadata"]["labels"] == labels_of("r", "b")


def test_a_pod_without_luggage_runs_the_command_itself() -> None:
    made = pod("p", run="r", block="b", command="a; b", luggage=None, options=OPTIONS)
    assert made["spec"]["containers"][0]["command"] == ["/bin/bash", "-c", "a; b"]
    assert "volumes" not in made["spec"]
    assert "securityContext" not in made["spec"]["containers"][0]


def test_a_secret_is_owned_by_the_pods_that_need_it() -> None:
    owners = [{"metadata": {"name": f"p-{n}", "uid": f"u{n}"}} for n in range(2)]
    made = secret("b", run="r", luggage=LUGGAGE, owners=owners)
    found = [(one["name"], one["uid"]) for one in made["metadata"]["ownerReferences"]]
    assert found == [("p-0", "u0"), ("p-1", "u1")]
    assert {name: base64.b64decode(data) for name, data in made["data"].items()} == {
        "a.json": b"hidden",
        "deep.er.b.c": b"\x00",
    }
