"""The provider of pods, on an emulator of a cluster's HTTP interface."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.conformance import PROVIDER
from lamina.providers import (
    TERMINAL_STATES,
    BlockRequest,
    JobState,
    JobStatus,
    Luggage,
    ProviderUnavailable,
    SubmitRejected,
)
from lamina.providers_kubernetes import KubernetesProvider
from lamina.vocabulary import BlockId, ConfigError, JobId
from tests.fakes.kubernetes_api import Cluster, Json, emulated, until
from tests.kits import as_tests

INTERVAL = 0.1  # seconds; the least there is


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulated(tmp_path_factory.mktemp("cluster")) as (_, config):
        yield config


class TestKit(as_tests(PROVIDER, lambda: TestKit.made())):  # type: ignore[misc]
    config = ""

    @pytest.fixture(autouse=True)
    def cluster(self, shared: str) -> None:
        TestKit.config = shared

    @classmethod
    def made(cls) -> KubernetesProvider:
        return made(cls.config)


def made(config: str, **options: Any) -> KubernetesProvider:
    given = {"config_file": config, "status_polling_interval": INTERVAL, **options}
    return KubernetesProvider("an-image", **given)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Cluster, str]]:
    with emulated(tmp_path) as (cluster, config):
        yield cluster, config


def request(place: Path, command: str, luggage: Luggage | None = None) -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name="lamina.My Label.block-0",
        command=command,
        script_dir=place,
        stdout=place / "block.out",
        stderr=place / "block.err",
        luggage=luggage,
    )


def reaches(provider: KubernetesProvider, job: JobId, *states: JobState) -> JobStatus:
    def look() -> JobStatus | None:
        status = provider.poll([job])[job]
        return status if status.state in states else None

    found: JobStatus = until(look)
    return found


def words_of(cluster: Cluster, job: str) -> list[str]:
    log = cluster.folder / job / "log"
    return log.read_text().split() if log.exists() else []


def asked(cluster: Cluster, what: str) -> int:
    with cluster.lock:
        return sum(f"{method} {path}".startswith(what) for method, path in cluster.asked)


def test_a_pod_has_a_name_that_pods_may_have(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    job = made(config).submit(request(tmp_path, "true"))
    assert list(cluster.pods) == [job]
    assert job.startswith("lamina-my-label-block-0-")


def test_luggage_is_opened_for_the_user_alone_and_its_secret_goes_with_the_block(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    go = tmp_path / "go"
    command = (
        'bash -c \'cd "$LAMINA_LUGGAGE"; stat -c %a . keys keys/a; echo $BEFORE; cat it.json; '
        f"od -An -tx1 keys/a; until [ -e {go} ]; do sleep 0.02; done'"
    )
    luggage = Luggage(files={"it.json": b"secret ", "keys/a": b"\x00\xff"}, command=command)
    mine = made(config, worker_init="export BEFORE=worker_init")
    job = mine.submit(request(tmp_path, "never", luggage))
    reaches(mine, job, JobState.RUNNING)
    said = ["700", "700", "600", "worker_init", "secret", "00", "ff"]
    until(lambda: words_of(cluster, job) == said)
    assert list(cluster.secrets) == [job]
    assert "secret " not in str(cluster.pods[job])
    assert "secret " not in repr(luggage)
    go.touch()
    assert reaches(mine, job, *TERMINAL_STATES).state is JobState.COMPLETED
    assert not cluster.secrets
    assert not cluster.pods


def test_options_are_in_the_pod(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    cluster.starts = False
    made(
        config,
        max_cpu="1500m",
        max_mem="2 GiB",
        extra_limits={"example.com/gpu": "1"},
        pod_name="Mine!",
        user_id=1000,
        group_id=100,
        run_as_non_root=True,
        secret="for-the-registry",
        persistent_volumes=[("claim", "/data")],
        service_account_name="worker",
        annotations={"a/b": "c"},
        walltime="1 h",
        image_pull_policy="Never",
    ).submit(request(tmp_path, "true"))
    [pod] = cluster.pods.values()
    spec, [container] = pod["spec"], pod["spec"]["containers"]
    assert pod["metadata"]["name"].startswith("mine-")
    assert pod["metadata"]["annotations"] == {"a/b": "c"}
    assert container["resources"] == {
        "requests": {"cpu": "1000m", "memory": str(250 * 2**20)},
        "limits": {"cpu": "1500m", "memory": str(2 * 2**30), "example.com/gpu": "1"},
    }
    assert container["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 100,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
    }
    assert container["volumeMounts"] == [{"name": "claim-0", "mountPath": "/data"}]
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "claim"}
    assert spec["imagePullSecrets"] == [{"name": "for-the-registry"}]
    assert (spec["serviceAccountName"], spec["activeDeadlineSeconds"]) == ("worker", 3600)
    assert container["imagePullPolicy"] == "Never"


def test_a_pod_that_failed_leaves_its_last_words(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    mine = made(config)
    job = mine.submit(request(tmp_path, "echo the last words; exit 3"))
    status = reaches(mine, job, *TERMINAL_STATES)
    assert (status.state, status.reason, status.exit_code) == (
        JobState.FAILED,
        "exit status 3",
        3,
    )
    assert (tmp_path / "block.err").read_text() == "the last words\n"
    assert not cluster.pods
    assert mine.poll([job])[job] == status


def test_a_block_of_several_nodes_is_so_many_pods(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    mine = made(config, nodes_per_block=2)
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    assert sorted(cluster.pods) == [f"{job}-0", f"{job}-1"]
    mine.cancel([job])
    assert reaches(mine, job, *TERMINAL_STATES).state is JobState.CANCELLED


def test_one_query_tells_of_all_providers_of_a_cluster(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    one, other = made(config, status_polling_interval=60), made(config, status_polling_interval=60)
    jobs = [mine.submit(request(tmp_path, "sleep 60")) for mine in (one, other, one)]
    for _ in range(5):
        one.poll(jobs[::2])
        other.poll(jobs[1:2])
    assert asked(cluster, "GET /api/v1/namespaces/default/pods?") == 1


def test_a_pod_without_a_node_says_why(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    cluster.room(0)
    mine = made(config)
    job = mine.submit(request(tmp_path, "true"))
    says = "no node has room for it: 0/1 nodes are available: 1 Insufficient cpu."
    until(lambda: mine.poll([job])[job] == JobStatus(state=JobState.PENDING, reason=says))
    cluster.room(1)
    assert reaches(mine, job, *TERMINAL_STATES).state is JobState.COMPLETED


def test_a_pod_whose_image_cannot_be_pulled_is_given_up_in_the_end(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    cluster.room(0)
    mine = made(config, pull_timeout=0.2)
    job = mine.submit(request(tmp_path, "true"))
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}

    def cannot_pull(pod: Json) -> None:
        cluster.say(pod, "Pending", waiting=waiting)

    cluster.edit(job, cannot_pull)
    status = reaches(mine, job, *TERMINAL_STATES)
    assert status.state is JobState.FAILED
    assert status.reason.startswith("its image cannot be pulled (ImagePullBackOff): no such image")
    assert not cluster.pods


def test_a_pod_that_somebody_removes_is_gone_and_one_not_listed_is_looked_for(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    mine = made(config)
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)

    def unlisted(pod: Json) -> None:
        pod["metadata"]["labels"]["lamina/run"] = "another"

    cluster.edit(job, unlisted)
    listed = asked(cluster, "GET /api/v1/namespaces/default/pods?")
    until(lambda: mine.poll([job]) and asked(cluster, "GET /api") > listed + 3)
    assert mine.poll([job])[job].state is JobState.RUNNING
    with cluster.lock:
        cluster.remove(job)
    status = reaches(mine, job, *TERMINAL_STATES)
    assert status.state is JobState.GONE
    assert "somebody, or the cluster itself, has removed it" in status.reason


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_cluster_that_cannot_answer_is_asked_again(
    world: tuple[Cluster, str], tmp_path: Path, status: int
) -> None:
    cluster, config = world
    mine = made(config)
    cluster.fails += [("POST pods", status, "later")]
    with pytest.raises(ProviderUnavailable, match="later"):
        mine.submit(request(tmp_path, "true"))
    job = mine.submit(request(tmp_path, "sleep 60"))
    cluster.fails += [("GET pods", status, "not now")]
    with pytest.raises(ProviderUnavailable, match="not now"):
        mine.poll([job])
    until(lambda: answers(mine, job))
    cluster.fails += [("DELETE pods", status, "not now")]
    with pytest.raises(ProviderUnavailable, match="not now"):
        mine.cancel([job])
    assert reaches(mine, job, *TERMINAL_STATES).state is JobState.CANCELLED


def answers(provider: KubernetesProvider, job: JobId) -> bool:
    try:
        provider.poll([job])
    except ProviderUnavailable:
        return False
    return True


def test_a_list_that_expired_is_asked_for_at_once_again(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    mine = made(config)
    job = mine.submit(request(tmp_path, "sleep 60"))
    cluster.fails += [("GET pods", 410, "too old resource version")]
    assert not mine.poll([job])[job].state.terminal


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_the_cluster_refuses_is_refused_with_its_words(
    world: tuple[Cluster, str], tmp_path: Path, status: int
) -> None:
    cluster, config = world
    cluster.fails += [("POST pods", status, "you may not create pods")]
    with pytest.raises(SubmitRejected, match="you may not create pods") as caught:
        made(config).submit(request(tmp_path, "true"))
    assert (caught.value.block, caught.value.status) == ("0", status)


def test_a_used_up_quota_is_a_matter_of_time(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    cluster.fails += [("POST pods", 403, "exceeded quota: compute, requested: pods=1")]
    with pytest.raises(ProviderUnavailable, match="exceeded quota"):
        made(config).submit(request(tmp_path, "true"))


def test_a_namespace_that_is_not_there_is_refused(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    with pytest.raises(SubmitRejected, match='namespaces "nowhere" not found'):
        made(world[1], namespace="nowhere").submit(request(tmp_path, "true"))


def test_a_pod_is_made_once_though_the_answer_was_lost(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    cluster.after += ["POST pods"]
    mine = made(config)
    job = mine.submit(request(tmp_path, "true"))
    assert asked(cluster, "POST") == 2
    assert list(cluster.pods) == [job]
    assert reaches(mine, job, *TERMINAL_STATES).state is JobState.COMPLETED


def test_what_was_made_without_an_answer_is_removed_when_it_shows(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    cluster.starts = False
    mine = made(config)
    known = mine.submit(request(tmp_path, "true"))
    cluster.after += ["POST pods", "POST pods", "GET pods", "DELETE pods"]
    with pytest.raises(ProviderUnavailable):
        mine.submit(request(tmp_path, "true"))
    until(lambda: answers(mine, known) and list(cluster.pods) == [known])


def test_a_request_that_hangs_is_given_up(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    mine = made(config, cmd_timeout=0.5)
    job = mine.submit(request(tmp_path, "sleep 60"))
    cluster.hangs += ["GET pods"]
    with pytest.raises(ProviderUnavailable, match="listing pods"):
        mine.poll([job])


def test_a_configuration_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="configuration"):
        made(str(tmp_path / "none")).submit(request(tmp_path, "true"))


def test_a_plan_shows_the_pods_and_contacts_nobody(tmp_path: Path) -> None:
    mine = made(str(tmp_path / "none"), nodes_per_block=2)
    how, text = mine.described(request(tmp_path, "run\nthis"))
    assert how == "the Kubernetes API, in namespace default"
    assert text.count('"kind": "Pod"') == 2
    assert '"this"' in text
    assert (mine.takes_luggage, mine.blocks_are_local) == (True, False)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"image": ""}, "image is ''"),
        ({"namespace": "A b"}, "namespace is 'A b'"),
        ({"max_mem": 500}, "max_mem is 500; write text with a unit"),
        ({"init_mem": "3Gi"}, "make max_mem the larger"),
        ({"max_cpu": 0}, "max_cpu is 0"),
        ({"max_blocks": 3}, "init_blocks is 4 and max_blocks 3"),
        ({"persistent_volumes": ["claim"]}, "write pairs of a claim"),
        ({"persistent_volumes": [("claim", "data")]}, "write pairs of a claim"),
        ({"run_as_non_root": True, "user_id": 0}, "which is root"),
        ({"run_as_non_root": 1}, "write True or False"),
        ({"user_id": "me"}, "user_id is 'me'"),
        ({"annotations": {"a": 1}}, "write a mapping of text"),
        ({"image_pull_policy": "Sometimes"}, "write one of Always"),
        ({"status_polling_interval": 0}, "make it 0.1 or more"),
        ({"worker_init": None}, "it must be text"),
        ({"pod_name": "a\nb"}, "write one line of text"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        KubernetesProvider(**{"image": "an-image", **options})
    assert says in str(caught.value)
